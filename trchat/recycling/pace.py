"""Whether drafting pays, and at what width, in the long run."""

from collections.abc import Mapping

from trchat.recycling.cost import LADDER, Costs
from trchat.recycling.width import WidthChoice

_FADE = 0.98  # of what is known of the pace that drafts promise, per step
_SEEN_FADE = 0.992  # and of the one that was seen, which scatters more
_SEEN_ENOUGH = 60  # steps
_LOOK_EVERY = 24  # steps between looks at what wider trees would bring
_FAR_EVERY = 8  # looks between those at all widths, hopeless ones too
_NEW_LOOK = 0.15  # weight of one look
_STAY = 20  # steps that a home is kept for, at least, to pay for going there
_HOPELESS = 0.85  # of the best width's pace
_TRIAL_STEPS = 8  # at the beginning, all of which look far
_SCHOOL = 128  # steps of a drafter that knows nothing yet, drafted as wide as one that does would
_SCHOOL_FEE = 40.0  # plain steps' time that it may lose
_WORTH_SCHOOL = 1.05  # times plain decoding's pace, to be expected of it afterwards
_TRUST, _TRUSTED = 0.6, 200  # of what an untaught drafter promises; steps after which it is taken at its word
_TRIAL, _SHORT_TRIAL = 400, 100  # steps to learn from before drafting may be given up
_FAR_OFF = 0.8  # of plain decoding's pace: a short trial tells as much
_FIRST_PLAIN = 4  # plain steps at the beginning, where none of an answer was seen to compare with
_AFTER_PROMPT = 2  # steps that are slower because a prompt came before: plain ones would be too
_STALL = 2.0  # times what a step may take: what is longer would have held up a plain step too
_NAP, _LONGEST_NAP = 128, 4096  # plain steps before drafting is tried again; twice as many each time
_RETRY_COSTS = 0.03  # of the time of a nap that trying again may take; or, where drafting has saved
_RETRY_PAID, _SHORTEST_NAP = 0.25, 16  # more than it lost lately, this much, and steps of a nap
_CREDIT_FADE = 0.999  # of what drafting has saved, per step
_PATIENCE = 2.0  # prices of trying again that drafting may lose, where it is in debt, before it sleeps
_EXPECTED = dict(
    zip(LADDER, (0.0, 0.25, 0.45, 0.6, 0.8, 0.95, 1.1, 1.25, 1.4, 1.55, 1.7, 1.8), strict=True)
)  # gains by width, to begin with: three quarters of what the demo model's drafts bring in the long run
_AS_GOOD_AS = 3  # looks that the expectation counts as


class Pace:
    """What drafting brings in the long run, and so what a token is worth.

    A step of width w brings 1 + S(w) tokens, S being the sum of the path probabilities of its nodes, and
    takes c(w) milliseconds. The most tokens a millisecond come from the steps that maximise S(w) - r c(w),
    r being the tokens a millisecond reached in the long run (renewal-reward; Dinkelbach's method). Changing
    the width costs extra, because llama.cpp builds its graph anew, and so does changing back: both are
    charged to a step that leaves the ``home`` width, the best one if it were kept for ever.

    What a width would bring is only learned from looks, steps that grow their tree at least that far
    whatever it promises: other steps grow far only where it pays, and would make wide trees look too good.

    A drafter that knows nothing promises nothing, and a narrow tree teaches it little. So it begins with a
    school, where it may be expected to pay: trees as wide as would then be best, whatever they promise.

    Where even the best width would not make up for the work around the model, drafting sleeps: no trees are
    grown, nothing is learned (see trchat.recycling.copying for what is left), and it is tried again from time
    to time: soon where it has paid so far, since texts differ; where it is in debt, only after as many plain
    steps as make what was lost a small part, and twice as many each time.
    """

    def __init__(self, costs: Costs, learned: int = 0) -> None:
        """``learned`` is how many steps drafting has learned from already."""
        self._costs = costs
        self._learned = learned
        self._school = _SCHOOL - learned  # steps of it left
        self._gains = dict(_EXPECTED)  # what each width brings beyond its first token
        self._looks = dict.fromkeys(LADDER, _AS_GOOD_AS)
        self._tokens = self._ms = 0.0
        self._seen_tokens = self._seen_ms = 0.0
        self._steps = 0
        self._asleep = 0 if costs.plain_seen else _FIRST_PLAIN
        self._tried = False  # whether there was enough to learn from
        self._nap = _NAP
        self._credit_ms = 0.0  # what drafting has saved lately against plain decoding
        self._lost_ms = 0.0  # what it has lost since it woke up
        self._hopeful = LADDER[-1]
        self._after_prompt = 0  # steps that will still be slower
        self.home = 1

    @property
    def rate(self) -> float:
        """Tokens a millisecond that drafts promised lately; what came true scatters far more."""
        return self._tokens / self._ms if self._ms else 1 / self._costs.of(1)

    @property
    def asleep(self) -> bool:
        """Whether the next step is to do without trees and without learning."""
        return self._asleep > 0

    def begin(self) -> None:
        """Say that a prompt came between."""
        self._after_prompt = _AFTER_PROMPT

    def choice(self, n_forced: int, widest: int) -> WidthChoice:
        """A choice for one step; the batch will hold ``n_forced`` known tokens and be ``widest`` at most."""
        self._steps += 1
        if self._in_school():
            return WidthChoice(self._costs, n_forced, widest, self.rate, self.home, self.home, fixed=True)
        look_to = 0
        if self._steps <= _TRIAL_STEPS or self._steps % (_LOOK_EVERY * _FAR_EVERY) == 0:
            look_to = LADDER[-1]
        elif self._steps % _LOOK_EVERY == 0:
            look_to = self._hopeful
        trust = _TRUST + (1 - _TRUST) * min(self._learned / _TRUSTED, 1.0)
        return WidthChoice(self._costs, n_forced, widest, self.rate, self.home, look_to, trust)

    def step(self, choice: WidthChoice, width: int, tokens: int, milliseconds: float) -> None:
        """Take in what one step of ``width`` tokens promised, and the ``tokens`` it brought in its time."""
        expected = self._costs.of(width)
        most = expected if self._after_prompt else _STALL * (expected + self._costs.change_ms)
        milliseconds = min(milliseconds, most)
        self._after_prompt = max(self._after_prompt - 1, 0)
        self._tokens = _FADE * self._tokens + 1 + choice.promised
        self._ms = _FADE * self._ms + expected
        if not choice.fixed:
            self._seen_tokens = _SEEN_FADE * self._seen_tokens + tokens
            self._seen_ms = _SEEN_FADE * self._seen_ms + milliseconds
        self._learned += 1
        plain_ms = self._costs.plain_ms
        if plain_ms is not None:
            saved = tokens * plain_ms - milliseconds
            self._credit_ms = _CREDIT_FADE * self._credit_ms + saved
            self._lost_ms -= saved
        if choice.look_to:
            for wide, gain in choice.gains.items():
                if wide <= choice.look_to:
                    self._looks[wide] += 1
                    weight = max(_NEW_LOOK, 1 / self._looks[wide])
                    self._gains[wide] += weight * (gain - self._gains[wide])
        if choice.fixed:
            if plain_ms is not None and self._lost_ms > _SCHOOL_FEE * plain_ms:
                self._school, self.home = 0, 1
            return
        if choice.look_to:
            self._settle()
        elif plain_ms is not None and self._given_up(plain_ms):
            self._sleep(plain_ms)

    def plain_step(self) -> None:
        """Count one step without trees and learning."""
        self._asleep -= 1
        self._after_prompt = max(self._after_prompt - 1, 0)
        if not self._asleep:
            self._steps = 0  # what was expected before does not count any more
            self._tokens = self._ms = self._seen_tokens = self._seen_ms = 0.0

    def _in_school(self) -> bool:
        if self._school <= 0:
            return False
        if self._steps == 1:
            self.home = _best(self._paces())
        # Asked again at each step: what was measured at the start may have been disturbed.
        plain_ms = self._costs.plain_ms or self._costs.of(1)
        worth = (1 + _EXPECTED[self.home]) * plain_ms / self._costs.of(self.home)
        if self.home == 1 or worth < (_WORTH_SCHOOL if self._steps == 1 else 1.0):
            self._school, self.home = 0, 1
            return False
        self._school -= 1
        return True

    def _paces(self) -> dict[int, float]:
        return {width: (1 + gain) / self._costs.of(width) for width, gain in self._gains.items()}

    def _settle(self) -> None:
        """Find the home width anew, and whether drafting pays at all."""
        paces = self._paces()
        usual = _best(paces)
        moving = self._costs.change_ms / (_STAY * self._costs.of(self.home))
        if paces[usual] > (1 + moving) * paces[self.home]:
            self.home = usual
        best = paces[usual]
        self._hopeful = max(width for width, pace in paces.items() if pace >= _HOPELESS * best)
        plain_ms = self._costs.plain_ms
        if plain_ms is None or self._steps < _TRIAL_STEPS:
            return
        drafted = max(pace for width, pace in paces.items() if width > 1) * plain_ms
        near = min(max((drafted - _FAR_OFF) / (1 - _FAR_OFF), 0.0), 1.0)
        self._tried = self._learned >= _SHORT_TRIAL + near * (_TRIAL - _SHORT_TRIAL)
        pace = max(best, self.rate)
        if self._steps >= _SEEN_ENOUGH:
            # Promises err, and changes of width and stalls are no part of them.
            pace = min(pace, self._seen_tokens / self._seen_ms)
        if self._tried and pace * plain_ms < 1:
            self._sleep(plain_ms)
        elif self._steps > _TRIAL_STEPS:
            self._nap = _NAP

    def _given_up(self, plain_ms: float) -> bool:
        in_debt = self._tried and self._credit_ms < 0
        return in_debt and self._lost_ms > _PATIENCE * self._retry_ms(plain_ms)

    def _retry_ms(self, plain_ms: float) -> float:
        """What it costs to find out once more: there and back, and looks at all widths that might pay."""
        looks = _TRIAL_STEPS * (self._costs.of(self._hopeful) - plain_ms)
        return 2 * self._costs.change_ms + looks

    def _sleep(self, plain_ms: float) -> None:
        retry = self._retry_ms(plain_ms) / plain_ms
        if self._credit_ms > 0:
            self._asleep = min(max(int(retry / _RETRY_PAID), _SHORTEST_NAP), _NAP)
        else:
            price = max(retry, self._lost_ms / plain_ms)
            self._asleep = min(max(self._nap, int(price / _RETRY_COSTS)), _LONGEST_NAP)
            self._nap = min(2 * self._nap, _LONGEST_NAP)
        self._lost_ms = 0.0


def _best(paces: Mapping[int, float]) -> int:
    return max(paces, key=lambda width: paces[width])

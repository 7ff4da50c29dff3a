"""LaTeX formulas as Unicode."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trchat.tui.formulas import unicode_formula


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("x^2 + y^2 = z^2", "x² + y² = z²"),
        (r"x_{12}^{n+1}", "x₁₂ⁿ⁺¹"),
        (r"\frac{-b \pm \sqrt{b^2 - 4ac}}{2a}", "(-b ± √(b² - 4ac))/(2a)"),
        (r"\sum_{i=1}^{n} i = \frac{n(n+1)}{2}", "∑ᵢ₌₁ⁿ i = (n(n+1))/2"),
        (r"\int_0^\infty e^{-x^2} dx", "∫₀^∞ e^(-x²) dx"),
        (r"\lim_{x \to 0} \frac{\sin x}{x} = 1", "lim_(x → 0) (sin x)/x = 1"),
        (r"\alpha \in \mathbb{R}^n", "α ∈ ℝⁿ"),
        (r"\left(\frac12\right)^{k}", "(1/2)ᵏ"),
        (r"\text{speed} = \frac{d}{t}", "speed = d/t"),
        (r"\{1, 2\} \subset A", "{1, 2} ⊂ A"),
        (r"\sqrt[3]{8} + 5\%", "∛8 + 5%"),
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", "a = b\nc = d"),
        (r"\boxed{42}", "42"),
    ],
)
def test_what_a_line_can_show(source, shown):
    assert unicode_formula(source) == shown


@pytest.mark.parametrize(
    "source",
    [
        r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}",
        r"\nosuchmacro{x}",
        "{",
        "x^",
        r"\frac{1}",
        "}",
        "{" * 500 + "}" * 500,
        "",
        "\\",
    ],
)
def test_what_it_cannot_is_left_to_its_source(source):
    assert unicode_formula(source) is None


@given(
    st.lists(st.sampled_from([*r"{}^_&\ x2", r"\frac", r"\sqrt", r"\left", r"\hat", "[3]", r"\\"])).map(
        "".join
    )
)
def test_nothing_breaks_it(source):
    shown = unicode_formula(source)
    assert shown is None or shown.strip()

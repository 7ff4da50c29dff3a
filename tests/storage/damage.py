"""What can happen to a file of SQLite."""

PAGE = 4096
HEADER = 100


def spoil(data, chance):
    """Damage the bytes like a bad disk, a cut-off copy or somebody who knows where it hurts."""
    where = chance.choice([HEADER, PAGE, len(data), len(data), len(data)])
    kind = chance.randrange(5)
    if kind == 0:
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(where)] ^= 1 << chance.randrange(8)
    elif kind == 1:
        for _ in range(chance.randint(1, 200)):
            data[chance.randrange(where)] = chance.randrange(256)
    elif kind == 2:
        start = chance.randrange(where)
        end = min(len(data), start + chance.randint(1, 5000))
        data[start:end] = chance.randbytes(end - start)
    elif kind == 3:
        del data[chance.randrange(len(data)) :]
    else:
        swap_pages(data, *(chance.randrange(len(data) // PAGE) for _ in range(2)))
    return bytes(data)


def swap_pages(data, one, two):
    """Let two pages, counted from 0, change places."""
    one, two = one * PAGE, two * PAGE
    data[one : one + PAGE], data[two : two + PAGE] = data[two : two + PAGE], data[one : one + PAGE]

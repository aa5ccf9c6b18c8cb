"""What choices made with the certificate examples in hand cost: nats, as text rounded up.

Each price is ``ln(1 / weight)`` of a prior that is fixed beforehand and of sum at most 1; prices of
independent choices add up. Use one as ``nats`` of a mask or as ``ln(1 / weight)`` of the theorem.
"""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from pacbayes.bounds.directed import UP, ZERO, ln
from pacbayes.bounds.doubles import text_up
from pacbayes.bounds.factorial import TWO_PI_UP, ln_choose
from pacbayes.bounds.inputs import Number, count
from pacbayes.bounds.sums import add_upper, count_prior_upper, entropy_price_upper
from pacbayes.errors import UsageError


def grid_price_upper(size: int, *, choices: int = 1) -> str:
    """Return choices * ln(size): independent choices from a declared grid, such as one per tensor.

    Scales, inclusion probabilities, rates, split fractions, seeds, priors tried: whatever there
    were ``size`` of, tried or not. Split fractions must come from one fixed permutation.

    Raises:
        UsageError: size is below 1 or choices below 0.

    Example:
        5 ln 20 = 14.978661367769954...

        >>> grid_price_upper(20, choices=5)
        '14.978661367769955'
    """
    options, times = count("size", size, least=1), count("choices", choices)
    return text_up(UP.multiply(Decimal(times), ln(UP, Decimal(options))))


def infinite_grid_price_upper(indices: Iterable[int]) -> str:
    """Return the sum of ln(j^2 pi^2 / 6) over chosen indices j = 1, 2, ... of endless grids.

    The weights ``6 / (pi j)^2`` add up to 1, so that a grid such as ``c exp(-j / b)`` needs no end.

    Raises:
        UsageError: an index is below 1.

    References:
        Dziugaite and Roy (2017), section 3.

    Example:
        ln(9 pi^2 / 6) = 2.694924879806964730...

        >>> infinite_grid_price_upper([3])
        '2.6949248798069648'
    """
    nats = ZERO
    for index in indices:
        scaled = UP.multiply(TWO_PI_UP, Decimal(count("index", index, least=1)))
        ratio = UP.divide(UP.multiply(scaled, scaled), Decimal(24))
        nats = UP.add(nats, ln(UP, ratio))
    return text_up(nats)


def infinite_grid_weight_lower(index: int) -> Fraction:
    """Return a fraction that is at most 6 / (pi j)^2, to use as ``weight``.

    Raises:
        UsageError: the index is below 1.

    Example:
        >>> float(infinite_grid_weight_lower(1))
        0.6079271018540267
    """
    circle = Fraction(TWO_PI_UP) * count("index", index, least=1)
    return 24 / (circle * circle)


def inclusion_price_upper(groups: Iterable[tuple[int, int, Number]], *, grid: int = 1) -> str:
    """Return a fixed mask's nats under gates whose probabilities differ between groups of entries.

    A group (n, k, inclusion) has n entries, k of them kept, each with that prior probability of
    being kept: all prunable entries, one tensor, or the entries of a tensor whose initial weights
    are of like size. Membership must not depend on the certificate examples; the probability of
    each group may be chosen last from a declared grid of ``grid`` values, at ln(grid) a group.

    Raises:
        UsageError: a count or probability is outside its range.

    Example:
        Gates of 1/4: ln 4 + 3 ln(4/3); of 1/2: 2 ln 2; two choices of four: 2 ln 4; sum
        6.408223661834905257...

        >>> inclusion_price_upper([(4, 1, "1/4"), (2, 2, "1/2")], grid=4)
        '6.4082236618349055'
    """
    masks = [entropy_price_upper(n, k, density=inclusion) for n, k, inclusion in groups]
    return add_upper([*masks, grid_price_upper(grid, choices=len(masks))])


def near_mask_price_upper(n: int, flips: int, *, rate: Number | None = None) -> str:
    """Return the nats of a mask that differs in some of n entries from one known beforehand.

    The other mask comes from the prior split, say. With a rate fixed beforehand each entry flips
    with that probability: ``flips ln(1 / rate) + (n - flips) ln(1 / (1 - rate))``. Without one the
    number of flips is paid for as well: ``ln(n + 1) + ln C(n, flips)``.

    Raises:
        UsageError: an argument is outside its range.

    Example:
        ln 266201 + ln C(266200, 2662) = 14915.243091029171351...

        >>> near_mask_price_upper(266200, 2662)
        '14915.243091029172'
    """
    if rate is None:
        return count_prior_upper(n, flips)
    return entropy_price_upper(n, flips, density=rate)


def structured_price_upper(units: int) -> str:
    """Return units * ln(2): any choice of whole units, channels or heads.

    `count_prior_upper` of the units is lower where few or most of them are kept.

    Raises:
        UsageError: units is no integer or negative.

    Example:
        300 + 100 units of LeNet: 400 ln 2 = 277.258872223978...

        >>> structured_price_upper(400)
        '277.25887222397813'
    """
    return grid_price_upper(2, choices=units)


def n_of_m_price_upper(groups: int, *, kept: int, of: int) -> str:
    """Return groups * ln C(of, kept): masks that keep so many in each group, 2 of 4 for instance.

    Raises:
        UsageError: a count is outside its range.

    Example:
        1000 ln 6 = 1791.7594692280550...

        >>> n_of_m_price_upper(1000, kept=2, of=4)
        '1791.7594692280551'
    """
    whole, part = count("of", of, least=1), count("kept", kept)
    if part > whole:
        raise UsageError(f"kept must be at most of = {whole}, got {part}")
    return text_up(UP.multiply(Decimal(count("groups", groups)), ln_choose(UP, whole, part)))

"""An arithmetic coder: symbols with integer frequencies to bytes and back, bit for bit."""

from dataclasses import dataclass, field

WHOLE = 1 << 48
HALF, QUARTER = WHOLE >> 1, WHOLE >> 2


@dataclass(slots=True, kw_only=True)
class Frequencies:
    """Counts of the symbols seen so far, from which both sides predict the next one.

    Every symbol starts with one and gains two when seen, so that the first is coded with the
    Krichevsky-Trofimov estimate; nothing about the source has to be sent.

    Attributes:
        counts: by symbol.
    """

    counts: list[int]

    @classmethod
    def of(cls, symbols: int) -> "Frequencies":
        """Return the counts before anything was seen."""
        return cls(counts=[1] * symbols)

    def interval(self, symbol: int) -> tuple[int, int, int]:
        """Return where a symbol lies: its lower and upper cumulative count, and the total."""
        low = sum(self.counts[:symbol])
        return low, low + self.counts[symbol], sum(self.counts)

    def symbol(self, place: int) -> int:
        """Return the symbol in whose interval a cumulative count lies."""
        for symbol, count in enumerate(self.counts):
            if place < count:
                return symbol
            place -= count
        return len(self.counts) - 1

    def see(self, symbol: int) -> None:
        """Count one more."""
        self.counts[symbol] += 2


@dataclass(slots=True, kw_only=True)
class Encoder:
    """Writes symbols into a growing string of bits (Witten, Neal and Cleary 1987)."""

    low: int = 0
    high: int = WHOLE - 1
    pending: int = 0
    bits: list[int] = field(default_factory=list)

    def put(self, interval: tuple[int, int, int]) -> None:
        """Narrow the range to a symbol's interval and write the bits that are settled."""
        start, stop, total = interval
        width = self.high - self.low + 1
        self.high = self.low + width * stop // total - 1
        self.low += width * start // total
        while True:
            if self.high < HALF:
                self._write(0)
            elif self.low >= HALF:
                self._write(1)
                self.low, self.high = self.low - HALF, self.high - HALF
            elif self.low >= QUARTER and self.high < 3 * QUARTER:
                self.pending += 1
                self.low, self.high = self.low - QUARTER, self.high - QUARTER
            else:
                return
            self.low, self.high = 2 * self.low, 2 * self.high + 1

    def finish(self) -> bytes:
        """Return all bytes; the decoder reads zeros after them."""
        self.pending += 1
        self._write(0 if self.low < QUARTER else 1)
        bits = "".join(map(str, self.bits)).rstrip("0")
        padded = bits + "0" * (-len(bits) % 8)
        return bytes(int(padded[i : i + 8], 2) for i in range(0, len(padded), 8))

    def _write(self, bit: int) -> None:
        self.bits += [bit] + [1 - bit] * self.pending
        self.pending = 0


@dataclass(slots=True, kw_only=True)
class Decoder:
    """Reads back what an :class:`Encoder` wrote; any bytes decode to something."""

    data: bytes
    place: int = 0
    low: int = 0
    high: int = WHOLE - 1
    value: int = 0

    @classmethod
    def of(cls, data: bytes) -> "Decoder":
        """Return a decoder at the beginning of some bytes."""
        decoder = cls(data=data)
        for _ in range(48):
            decoder.value = 2 * decoder.value + decoder._read()
        return decoder

    def get(self, frequencies: Frequencies) -> int:
        """Return the next symbol under the given counts."""
        total = sum(frequencies.counts)
        width = self.high - self.low + 1
        symbol = frequencies.symbol(((self.value - self.low + 1) * total - 1) // width)
        start, stop, _ = frequencies.interval(symbol)
        self.high = self.low + width * stop // total - 1
        self.low += width * start // total
        while True:
            if self.high < HALF:
                shift = 0
            elif self.low >= HALF:
                shift = HALF
            elif self.low >= QUARTER and self.high < 3 * QUARTER:
                shift = QUARTER
            else:
                return symbol
            self.low, self.high = 2 * (self.low - shift), 2 * (self.high - shift) + 1
            self.value = 2 * (self.value - shift) + self._read()

    def _read(self) -> int:
        byte, bit = divmod(self.place, 8)
        self.place += 1
        return (self.data[byte] >> (7 - bit)) & 1 if byte < len(self.data) else 0

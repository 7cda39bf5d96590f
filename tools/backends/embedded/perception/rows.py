"""What is usual for a window attribute by image row: location, scale and a common tail."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tools.backends.embedded.perception.statistics import (
    FAR_QUANTILE,
    Distribution,
    Histogram,
    RowScale,
)

__all__ = ["RowHistograms"]


class RowHistograms:
    """Values of an attribute by image row, and what is usual in each row.

    Location and scale of a row are its median m and s = 1.4826 × median absolute deviation, drawn
    towards those of all rows, m₀ and s₀, by ``TRUST`` windows' worth:
    (n m + T m₀) / (n + T), and the same of log s. The tail is common to all rows.
    """

    TRUST = 3000.0
    """Somebody who walks through leaves about 300 windows: ten people's worth."""

    def __init__(self, rows: int, cell: int) -> None:
        self.cell = cell
        self._rows = [Histogram() for _ in range(rows)]

    def add(self, values: NDArray[np.float64], foot: NDArray[np.float64]) -> None:
        row = np.clip((foot / self.cell).astype(np.intp), 0, len(self._rows) - 1)
        for number in np.unique(row):
            self._rows[number].add(values[row == number])

    @property
    def total(self) -> int:
        return sum(h.total for h in self._rows)

    def fitted(self) -> tuple[RowScale, Distribution]:
        """Scale by row, and the distribution of the standardised values of all rows together.

        Raises ValueError where there are none.
        """
        whole = Histogram()
        for histogram in self._rows:
            whole.counts += histogram.counts
        usual, spread = whole.middle()
        usuals = np.full(len(self._rows), usual, np.float32)
        spreads = np.full(len(self._rows), spread, np.float32)
        for number, histogram in enumerate(self._rows):
            n = histogram.total
            if n:
                own, wide = histogram.middle()
                share = n / (n + self.TRUST)
                usuals[number] = usual + share * (own - usual)
                spreads[number] = spread * (wide / spread) ** share
        scale = RowScale(usuals, spreads, self.cell)
        standard = Histogram()
        for number, histogram in enumerate(self._rows):
            if histogram.total:
                standard.add_counts(
                    (Histogram.CENTRES - usuals[number]) / spreads[number], histogram.counts
                )
        middle, limit = standard.quantile(0.5), standard.quantile(FAR_QUANTILE)
        return scale, Distribution(middle, max(limit, middle + 1.0), standard.total)

"""The report page: one self-contained HTML file, drawn from saved traces and figures."""

from evals.page.build import Entry, lost, write_page

__all__ = ["Entry", "lost", "write_page"]

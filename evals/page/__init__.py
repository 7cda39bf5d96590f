"""The report page: one self-contained HTML file, drawn from saved traces and figures."""

from evals.page.build import write_page

__all__ = ["write_page"]

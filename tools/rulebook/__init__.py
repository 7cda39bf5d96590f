"""The rule book of a scene: every version on record; rules found, limited, tested, written down.

``RuleBook`` is its public face. Rules are rows of the record (``rows``, ``zones``), changed in
transactions (``changes``), found by words and meaning (``retrieval``), limited to a where and when
(``scoping``), tested by predicates (``predicates``), made of sentences (``plainwords``, with
``plainsense``, ``plainparts``, ``plainbounds``, ``plaintests``), read and written as YAML
(``rulefile``), checked as a whole (``linting``), or stood in for (``priors``).
"""

from tools.rulebook.book import RuleBook

__all__ = ["RuleBook"]

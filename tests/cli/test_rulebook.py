"""``vidocq rules`` as a person uses it: plain words, zones, files, versions, search, bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.walkway import SCENE, Walkway

SENTENCE = "Nobody may stand at the fence for more than 30 seconds at night"
POLYGON = "0,120 360,120 360,239 0,239"
IN = ("--scene", SCENE)


@pytest.fixture
def fenced(vidocq: Run, learned: Path) -> Path:
    done = vidocq("rules", "zone", "add", "fence", "--polygon", POLYGON, *IN)
    assert done.exit_code == 0, done.output
    return learned


def rule_id(output: str) -> str:
    return str(json.loads(output)[0]["id"])


def test_a_sentence_becomes_a_rule_that_is_shown_first(vidocq: Run, fenced: Path) -> None:
    done = vidocq("rules", "add", SENTENCE, *IN, "--yes", "--json")
    (rule,) = json.loads(done.stdout)
    assert rule["text"] == SENTENCE
    assert [c["attribute"] for c in rule["predicate"]["all"]] == ["activity", "subject", "dwell"]
    assert rule["scope"]["hours"] == ["22:00", "06:00"]
    assert (rule["scope"]["zone"], len(rule["scope"]["polygon"])) == ("fence", 4)
    assert "understood as anomalous: activity in {stands}" in done.stderr
    assert "only: in the zone fence, 22:00–06:00" in done.stderr
    assert "in the zone fence, 22:00–06:00" in vidocq("rules", "list", *IN).stdout


def test_a_rule_against_another_is_said_to_be_so(vidocq: Run, learned: Path) -> None:
    slow = ("rules", "add", "Up to 3.", *IN, "--kind", "normal", "--when", "dwell < 9")
    assert "note:" not in vidocq(*slow).stderr
    done = vidocq("rules", "add", "Over 2.", *IN, "--when", "dwell > 5")
    assert "note: contradictory with " in done.stderr
    assert "5 < dwell < 9 is normal by one and anomalous by the other" in done.stderr


def test_what_is_not_confirmed_is_not_written(
    vidocq: Run, refused: Callable[..., str], fenced: Path
) -> None:
    assert "not confirmed: nothing was written (add --yes" in refused("rules", "add", SENTENCE, *IN)
    assert SENTENCE not in vidocq("rules", "list", *IN).stdout


def test_words_only_are_confirmed_too(vidocq: Run, learned: Path) -> None:
    said = vidocq("rules", "add", "Only staff may enter", *IN).stderr
    assert "understood as anomalous, in words only" in said
    assert "note: it holds for some only" in said
    assert "not confirmed: nothing was written" in said
    assert "Only staff" not in vidocq("rules", "list", *IN).stdout
    done = vidocq("rules", "add", "Only staff may enter", *IN, "--yes")
    assert "nothing: no measurable word" in done.stdout
    listed = vidocq("rules", "add", "No running", *IN, "--words-only")
    assert "that can be measured are tested all the same" in listed.stderr


def test_rules_in_zones_follow_them(vidocq: Run, fenced: Path) -> None:
    name = rule_id(vidocq("rules", "add", SENTENCE, *IN, "-y", "--json").stdout)
    moved = vidocq("rules", "zone", "add", "fence", "--polygon", "0,200 360,200 360,239", *IN)
    assert f"1 rules follow it: {name}" in moved.stdout
    assert "fence@2" in vidocq("rules", "zone", "list", *IN).stdout
    diff = vidocq("rules", "diff", name).stdout
    assert "- 0,120 360,120 360,239 0,239" in diff
    assert "+ 0,200 360,200 360,239" in diff


def test_versions_are_compared_and_gone_back_to(vidocq: Run, learned: Path) -> None:
    name = rule_id(vidocq("rules", "add", "No riding.", *IN, "-y", "--json").stdout)
    vidocq("rules", "edit", name, "--when", "speed > 3", "--hours", "8-17", "--text", "Slow.")
    diff = json.loads(vidocq("rules", "diff", name, "--json").stdout)
    assert {c[0] for c in diff["changes"]} == {"text", "test", "scope"}
    (back,) = json.loads(vidocq("rules", "revert", name, "1", "--json").stdout)
    assert (back["version"], back["text"], back["scope"]["hours"]) == (3, "No riding.", None)
    assert "they say the same" in vidocq("rules", "diff", f"{name}@3", "1").stdout


def test_out_to_a_file_and_back(vidocq: Run, fenced: Path, tmp_path: Path) -> None:
    vidocq("rules", "add", SENTENCE, *IN, "-y")
    assert vidocq("rules", "export", *IN, "-o", "gate.yaml").exit_code == 0
    book = tmp_path / "gate.yaml"
    text = book.read_text()
    assert text == vidocq("rules", "export", *IN).stdout
    assert vidocq("rules", "import", "gate.yaml").stdout.startswith(
        f"Scene {SCENE}: 0 added, 0 changed, 0 retired,"
    )
    book.write_text(text.replace("dwell > 30 s", "dwell > 40 s"))
    assert "1 changed" in vidocq("rules", "import", "gate.yaml").stdout


def test_lint_names_what_is_wrong_and_where(vidocq: Run, learned: Path, tmp_path: Path) -> None:
    book = tmp_path / "book.yaml"
    book.write_text(
        f"scene: {SCENE}\nrules:\n  - kind: normal\n    text: Up to 2.\n    when: speed < 2\n"
        "  - kind: anomalous\n    text: Over 1.5.\n    when: speed > 1.5\n"
        "  - kind: anomalous\n    text: No umbrellas.\n"
    )
    done = vidocq("rules", "lint", "book.yaml")
    assert done.exit_code == 1
    assert "contradictory: book.yaml:3, book.yaml:6: 1.5 < speed < 2 is normal by one" in (
        done.stdout
    )
    assert "untestable: book.yaml:9: no test" in done.stdout
    induced = vidocq("rules", "lint", *IN)
    assert induced.exit_code == 0, induced.stdout
    assert "nothing to complain about" in induced.stdout


def test_an_unedited_file_is_as_good_as_the_record(vidocq: Run, learned: Path) -> None:
    vidocq("rules", "add", "No riding a bicycle", *IN, "-y")
    vidocq("rules", "add", "Up to 9.", *IN, "--kind", "normal", "--when", "speed < 9")
    vidocq("rules", "export", *IN, "-o", "gate.yaml")
    record, file = (json.loads(vidocq("rules", "lint", *of, "--json").stdout) for of in (
        IN, ("gate.yaml",)))  # fmt: skip
    assert record
    assert file == record


def test_contradictions_of_an_import_are_named_one_a_line(
    vidocq: Run, learned: Path, tmp_path: Path
) -> None:
    name = rule_id(vidocq("rules", "add", "No riding a bicycle", *IN, "-y", "--json").stdout)
    (tmp_path / "book.yaml").write_text(
        f"scene: {SCENE}\nrules:\n  - kind: normal\n    text: Riding is fine.\n"
        "  - kind: anomalous\n    text: No umbrellas.\n"
    )
    done = vidocq("rules", "import", "book.yaml")
    assert done.exit_code == 0
    assert "2 added" in done.stdout
    (line,) = [n for n in done.stderr.splitlines() if n.startswith("contradictory: ")]
    assert line.startswith("contradictory: book.yaml:3 riding-fine-")
    assert f", {name}: activity in {{glides}}" in line
    assert line.endswith("the normal one counts; both are in the book now")
    assert "note: 1 other thing to look at: vidocq rules lint" in done.stderr
    again = vidocq("rules", "import", "book.yaml")
    assert "contradictory" not in again.stderr
    assert "note: 2 things to look at" in again.stderr


def test_search_says_score_and_reason_and_heeds_the_hour(vidocq: Run, fenced: Path) -> None:
    vidocq("rules", "add", SENTENCE, *IN, "-y")
    query = ("rules", "search", "somebody stands at the fence", *IN)
    assert SENTENCE in vidocq(*query).stdout.splitlines()[0]
    assert "shares" in vidocq(*query).stdout.splitlines()[1]
    assert SENTENCE in vidocq(*query, "--at", "2026-11-28T23:00").stdout
    assert SENTENCE not in vidocq(*query, "--at", "2026-11-28T12:00").stdout


def test_another_embedder_is_refused_until_reindexed(
    vidocq: Run, refused: Callable[..., str], learned: Path
) -> None:
    from tools.archive import Archive
    from tools.backends.embedded.embedder import HashedEmbedder

    small = Archive(learned, HashedEmbedder(64))
    small.rules.reindex([SCENE])
    small.close()
    query = ("rules", "search", "running", *IN)
    hashed = {"VIDOCQ_EMBEDDER": "hashed"}
    assert "(vidocq rules reindex, or configure that embedder)" in refused(*query, **hashed)
    assert "with hashed-ngrams-512/1" in vidocq("rules", "reindex", **hashed).stdout
    assert vidocq(*query, **hashed).exit_code == 0


def test_another_embedder_is_refused_before_anything_is_looked_at(
    refused: Callable[..., str], learned: Path, walkway: Walkway
) -> None:
    from tools.archive import Archive
    from tools.backends.embedded.embedder import HashedEmbedder

    small = Archive(learned, HashedEmbedder(64))
    small.rules.reindex([SCENE])
    small.close()
    told = refused("ask", "Anything unusual?", walkway.bike, *IN, VIDOCQ_EMBEDDER="hashed")
    assert "indexed with the embedder hashed-ngrams-64/1" in told
    assert "(vidocq rules reindex, or configure that embedder)" in told
    (run,) = (learned / "runs").iterdir()
    tools = [json.loads(n).get("tool") for n in (run / "trace.jsonl").read_text().splitlines()]
    assert set(tools) - {None} == {"plan", "probe", "scene"}


def test_history_says_who_when_and_from_which_footage(vidocq: Run, learned: Path) -> None:
    rules = json.loads(vidocq("rules", "list", *IN, "--json").stdout)
    rule = next(r for r in rules if r["provenance"])
    name, seen = rule["id"], rule["provenance"][0]
    vidocq("rules", "retire", name)
    both = vidocq("rules", "history", name).stdout
    first, last = both.split(f"{name}@2")
    assert f"; from induction; {rule['support']} of {rule['batches']} batches agree\n" in first
    assert f"written {rule['created'][:10]} " in first
    frames = ", ".join(map(str, seen["frames"][:4]))
    assert f"induced from {seen['clip']} (frame" in first
    assert frames in first
    assert "retired" in last
    assert "; from ada; " in last
    assert "batches agree\n" not in last
    assert f"{rule['support']} of {rule['batches']} batches agreed when it was induced" in last
    one = vidocq("rules", "history", f"rule:{name}@1").stdout
    assert one == first
    assert len(json.loads(vidocq("rules", "history", f"{name}@2", "--json").stdout)) == 1


def test_a_new_test_leaves_the_sentence_and_says_so(vidocq: Run, learned: Path) -> None:
    name = rule_id(vidocq("rules", "add", "No riding here.", *IN, "-y", "--json").stdout)
    done = vidocq("rules", "edit", name, "--when", "speed > 3", "--json")
    (rule,) = json.loads(done.stdout)
    assert rule["text"] == "No riding here."
    assert rule["predicate"]["all"][0]["unit"] == "× usual walking speed"
    assert "note: its sentence stays as it was: “No riding here.”; --text changes it" in done.stderr
    said = vidocq("rules", "edit", name, "--when", "speed > 4", "--text", "Nobody races.")
    assert "note:" not in said.stderr
    assert "note:" not in vidocq("rules", "edit", name, "--hours", "8-17").stderr


def test_the_same_rule_again_is_said_to_exist(vidocq: Run, learned: Path) -> None:
    add = ("rules", "add", "No riding here.", *IN, "-y")
    assert "exists already" not in vidocq(*add).stderr
    done = vidocq(*add, "--json")
    name = rule_id(done.stdout)
    assert f"note: this rule exists already, as {name}@1: nothing was written" in done.stderr
    alike = vidocq("rules", "add", "no riding  HERE!", *IN, "-y")
    assert f"note: this rule exists already, as {name}@1: nothing was written" in alike.stderr
    vidocq("rules", "retire", name)
    assert f"as {name}@3: it was retired, and is in use again" in vidocq(*add).stderr


def test_a_value_that_no_captioner_gives_is_said_when_it_is_written(
    vidocq: Run, learned: Path
) -> None:
    done = vidocq("rules", "add", "No flying.", *IN, "--when", "activity in {flies}")
    assert "note: untestable: the captioner never gives “flies” as activity" in done.stderr


def test_any_two_versions_are_compared(
    vidocq: Run, refused: Callable[..., str], learned: Path
) -> None:
    name = rule_id(vidocq("rules", "add", "No riding.", *IN, "-y", "--json").stdout)
    for text in ("Second.", "Third."):
        vidocq("rules", "edit", name, "--text", text)
    said = vidocq("rules", "diff", name, "1", "3").stdout
    assert said.startswith(f"{name} @1 → @3 (by ada, ")
    assert "- No riding." in said
    assert "+ Third." in said
    assert vidocq("rules", "diff", name, "3", "2").stdout.startswith(f"{name} @3 → @2")
    assert f"vidocq rules diff {name} VERSION VERSION" in refused("rules", "diff", name, "3")
    assert f"vidocq rules diff {name} 1 2" in refused("rules", "diff", f"{name}@3", "1", "2")
    assert "has no version 0" in refused("rules", "diff", name, "0", "1")


def test_reasons_of_a_search_show_words_as_the_rule_has_them(vidocq: Run, learned: Path) -> None:
    vidocq("rules", "add", "Riding a bicycle is unusual.", *IN, "-y")
    reason = vidocq("rules", "search", "bicycles", *IN).stdout.splitlines()[1]
    assert "shares “bicycle”" in reason


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("add", "Nobody may wait at the bus stop", *IN), "no zone “bus-stop” in scene “gate”"),
        (("add", "nothing", *IN), "names nothing that a rule could be about"),
        (("add", "nothing", *IN, "--words-only"), "names nothing that a rule could be about"),
        (("add", "No riding", "--scene", "gat"), "no scene “gat”; did you mean “gate”?"),
        (("add", "No riding", *IN, "--hours", "noon"), "“noon” are no hours"),
        (("add", "No riding", *IN, "--days", "someday"), "“someday” is no weekday"),
        (("add", "No riding", *IN, "--zone", "moat"), "no zone “moat” in scene “gate”"),
        (("add", "x", *IN, "--when", "sped > 1"), "no attribute “sped” is measured here"),
        (("zone", "add", "moat", "--polygon", "0,0 1,1", *IN), "encloses nothing"),
        (("zone", "add", "moat", "--polygon", "0,0 999,1 5,5", *IN), "outside the picture"),
        (("zone", "remove", "moat", *IN), "no zone “moat”"),
        (("import", "none.yaml"), "none.yaml: cannot be read"),
        (("lint", "none.yaml"), "none.yaml: cannot be read"),
        (("export", "--scene", "gat"), "no scene “gat”; did you mean “gate”?"),
        (("export", *IN, "-o", "no/such/folder.yaml"), "cannot be written"),
        (("revert", "nothing", "1"), "no rule “nothing”"),
        (("diff", "nothing"), "no rule “nothing”"),
        (("search", "x", *IN, "--at", "noon"), "“noon” is no date and time"),
        (("search", "", *IN), "the query is blank (say what to look for"),
        (("search", " ?!", *IN), "the query is blank"),
        (("list", "--scene", "gat"), "did you mean “gate”? (--scene gate)"),
        (("list", "--scene", "yard"), "known: gate (vidocq induce NORMAL... --scene yard)"),
        (("reindex", "--scene", "gat"), "no scene “gat”"),
    ],
)
def test_bad_input_is_one_line(
    refused: Callable[..., str], learned: Path, arguments: tuple[str, ...], problem: str
) -> None:
    assert problem in refused("rules", *arguments)


def test_bad_yaml_names_file_and_line(
    refused: Callable[..., str], learned: Path, tmp_path: Path
) -> None:
    (tmp_path / "book.yaml").write_text(f"scene: {SCENE}\nrules:\n  - kind: [\n")
    assert "book.yaml:4: not YAML" in refused("rules", "import", "book.yaml")
    (tmp_path / "book.yaml").write_text("scene: gat\nrules: []\n")
    assert "no scene “gat”; did you mean “gate”?" in refused("rules", "import", "book.yaml")


def test_a_chroma_server_that_is_not_there(refused: Callable[..., str], learned: Path) -> None:
    query = ("rules", "search", "running", *IN)
    told = refused(*query, code=1, VIDOCQ_CHROMA_URL="http://127.0.0.1:9")
    assert told.startswith(
        "the Chroma server at http://127.0.0.1:9 does not answer (Connection refused) (start it"
    )
    assert "unset chroma_url" in told
    assert "is no address" in refused(*query, VIDOCQ_CHROMA_URL="localhost")


def test_a_server_that_is_not_chromas(refused: Callable[..., str], learned: Path) -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    class Nothing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Nothing)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        told = refused("rules", "search", "running", *IN, code=1, VIDOCQ_CHROMA_URL=url)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert told.startswith(f"what answers at {url} is no Chroma server (HTTP 404)")


def test_a_sentence_model_that_is_not_there(
    refused: Callable[..., str], learned: Path, tmp_path: Path
) -> None:
    told = refused("rules", "list", VIDOCQ_EMBEDDER_MODEL=str(tmp_path / "nothing"))
    assert "holds no sentence model" in told


def test_hours_are_heeded_when_a_video_is_asked_about(
    vidocq: Run, learned: Path, walkway: Walkway
) -> None:
    """A rule of the night counts at night, not by day, and not where the hour is not known."""
    vidocq("rules", "add", "Riding is fine at night", *IN, "-y")
    ask = ("ask", "Anything unusual?", walkway.bike, *IN, "--json")
    answers = {
        when: json.loads(vidocq(*ask, *(["--started", when] if when else [])).stdout)
        for when in ("", "2026-11-28T12:00", "2026-11-28T23:00")
    }
    labels = {when: a["decision"]["label"] for when, a in answers.items()}
    assert labels[""] == labels["2026-11-28T12:00"] == "anomalous"
    assert labels["2026-11-28T23:00"] != "anomalous"
    assert (
        "1 of the rules holds at some hours or days only and was not applied"
        in (answers[""]["answer"])
    )
    assert "hours or days only" not in answers["2026-11-28T12:00"]["answer"]


def test_what_is_fine_by_day_may_be_forbidden_at_night(
    vidocq: Run, learned: Path, walkway: Walkway
) -> None:
    vidocq("rules", "add", "Riding a bicycle is fine", *IN, "-y")
    done = vidocq("rules", "add", "No riding a bicycle at night", *IN, "-y", "--json")
    assert "contradictory" not in done.stderr
    assert "unreachable" not in done.stderr
    ask = ("ask", "Anything unusual?", walkway.bike, *IN, "--json", "--started")
    day, night = (
        json.loads(vidocq(*ask, f"2026-11-28T{hour}").stdout) for hour in ("12:00", "23:00")
    )
    assert day["decision"]["label"] != "anomalous"
    assert night["decision"]["label"] == "anomalous"
    assert f"Rule {rule_id(done.stdout)}@1" in night["answer"]


def test_a_question_ignores_what_it_names(vidocq: Run, learned: Path, walkway: Walkway) -> None:
    query = "Anything unusual? Ignore people riding."
    answer = json.loads(vidocq("ask", query, walkway.bike, *IN, "--json").stdout)
    assert answer["decision"]["label"] != "anomalous"
    assert "left out for this question (people riding)" in answer["answer"]
    assert vidocq("rules", "list", *IN).stdout.count("this question") == 0


def test_what_a_question_counts_and_ignores_alike_is_said(
    vidocq: Run, learned: Path, walkway: Walkway
) -> None:
    query = "Anything unusual? Riding counts as unusual here; ignore skateboards."
    told = vidocq("ask", query, walkway.bike, *IN).stdout
    assert not told.startswith("Yes")
    assert "Note: “Riding” and “skateboards”, which is to be ignored, cannot be told apart" in told


def test_a_scene_that_is_measured_keeps_no_captions(
    vidocq: Run, refused: Callable[..., str], learned: Path
) -> None:
    said = vidocq("rules", "captions", *IN).stdout
    assert (
        f"No normal captions are kept with scene {SCENE}, which was learned with embedded" in said
    )
    assert "induce it again" not in said
    assert json.loads(vidocq("rules", "captions", *IN, "--json").stdout) == []
    assert "no scene “nowhere”" in refused("rules", "captions", "--scene", "nowhere")
    assert "no normal caption" in refused("rules", "captions", f"normal:abc@{10**30}")


def test_words_that_part_from_their_rule_are_said_to(vidocq: Run, learned: Path) -> None:
    made = json.loads(
        vidocq("rules", "add", "-s", "gate", "Nobody may run", "--yes", "--json").stdout
    )
    (rule,) = made if isinstance(made, list) else made["rules"]
    told = vidocq("rules", "edit", rule["id"], "--text", "Running is fine at night").stderr
    assert "only the words were changed: read anew they would be normal (--kind normal)" in told
    assert "(--hours, --days)" in told
    assert (
        "only the words" not in vidocq("rules", "edit", rule["id"], "--text", "No running").stderr
    )

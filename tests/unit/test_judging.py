"""The optional judge, against a real server on the loopback."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from evals.figures import figures
from evals.judging import RUBRIC, HttpJudge
from evals.model import Outcome, Pair, Sample
from tools.decision import Label
from tools.errors import BackendError


@pytest.fixture
def server():
    """Answers what ``said`` holds, and keeps what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made.asked.append(body)
            reply = {
                "model": made.model,
                "choices": [{"message": {"role": "assistant", "content": made.said}}],
            }
            data = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            """Quiet."""

    made = HTTPServer(("127.0.0.1", 0), Handler)
    made.asked, made.said, made.model = [], "", "tiny"
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def judge(server):
    return HttpJudge(f"http://127.0.0.1:{server.server_port}/v1", "tiny", timeout_s=5, wait_s=0)


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ('{"reason": "right"}', True),
        ('{"reason": "wrong"}', False),
        ("I think it is right.", None),
        ('{"reason": "maybe"}', None),
        ('{"reason": ["right"]}', None),
    ],
)
def test_only_a_readable_answer_counts(server, said, right):
    server.said = said
    assert judge(server).opinion("a fight", "two men fight").right is right
    asked = server.asked[0]
    assert (asked["model"], asked["temperature"]) == ("tiny", 0)
    assert asked["messages"][0]["content"] == RUBRIC


def test_another_model_or_none_is_an_error(server):
    server.model = "other"
    with pytest.raises(BackendError, match="'other', not as 'tiny'"):
        judge(server).opinion("a", "b")
    with pytest.raises(BackendError, match="cannot be reached"):
        HttpJudge("http://127.0.0.1:9", "tiny", timeout_s=2, wait_s=0).opinion("a", "b")


def test_judged_reasons_make_four_cells_kept_apart_from_choices():
    def pair(name, label):
        sample = Sample(name, name, 4, 1.0, truth=(((0, 2),),))
        return Pair(sample, Outcome(name, np.zeros(4), np.ones(4, bool), label=label))

    pairs = [
        pair("a", Label.ANOMALOUS),
        pair("b", Label.ANOMALOUS),
        pair("c", Label.NORMAL),
        pair("d", Label.UNCERTAIN),
    ]
    judged = {"a": True, "b": False, "c": False, "d": True}
    made = figures(pairs, samples=5, judged=judged).metrics
    cells = [made[f"free_{c}"] for c in ("rr", "rw", "wr", "ww", "unanswered")]
    assert cells == [0.25, 0.25, 0.0, 0.25, 0.25]
    assert made["choice_rr"] is None

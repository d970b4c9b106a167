"""What exchanges say of themselves inside an answer of status 200."""

from __future__ import annotations

import pytest

from tasks.upstream.live.refusals import complaint


@pytest.mark.parametrize(
    ("answer", "words", "status"),
    [
        ('{"retCode": 10006, "retMsg": "Too many visits!", "result": {}}', "10006: Too many visits!", 429),
        ('{"code": "50011", "msg": "Rate limit reached", "data": []}', "50011: Rate limit reached", 429),
        ('{"code": "50013", "msg": "Systems are busy", "data": []}', "50013: Systems are busy", 503),
        ('{"error": ["EService:Unavailable"]}', "EService:Unavailable", 503),
        ('{"error": ["EQuery:Unknown asset pair"]}', "EQuery:Unknown asset pair", 400),
        ('{"code": "51001", "msg": "", "data": []}', "code 51001", 400),
    ],
)
def test_a_complaint(answer, words, status):
    found = complaint(answer)
    assert (str(found), found.status) == (words, status)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "<html>",
        "[]",
        "null",
        "{}",
        '{"code": "0", "msg": "", "data": []}',
        '{"code": "00000", "msg": "success", "data": []}',
        '{"code": "200000", "data": []}',
        '{"code": 1000, "message": "success", "data": []}',
        '{"retCode": 0, "retMsg": "OK", "result": {"list": []}}',
        '{"error": [], "result": {}}',
        '{"data": []}',
    ],
)
def test_an_answer_that_only_holds_nothing(answer):
    assert complaint(answer) is None

"""Files of strokes: JSON and CSV say the same, and what they cannot mean is refused with its place."""

import json

import pytest

from vesalius.core.case import Prompt
from vesalius.core.errors import DataError
from vesalius.run.guided import parse_told, strokes_of, told

CSV = """case,kind,z,y,x,stroke,adds,label
a,point,0,3,4,,,
a,scribble,0,1,1,7,false,
a,scribble,0,1,9,7,false,
b,box,2,3,4,1,1,liver
b,box,9,8,7,1,1,liver
"""


def test_json_and_csv_say_the_same(tmp_path):
    table, text = tmp_path / "s.csv", tmp_path / "s.json"
    table.write_text(CSV)
    point = {"kind": "point", "places": [[0, 3, 4]]}
    line = {"kind": "scribble", "places": [[0, 1, 1], [0, 1, 9]], "adds": False}
    box = {"kind": "box", "places": [[2, 3, 4], [9, 8, 7]]}
    text.write_text(json.dumps({"a": [point, line], "b": {"objects": {"liver": [box]}}}))
    found = strokes_of(table)
    assert found == strokes_of(text)
    assert found["a"][1] == Prompt("scribble", ((0, 1, 1), (0, 1, 9)), None, False)
    assert found["b"][0].label == "liver"
    assert parse_told(json.loads(json.dumps(told(found)))) == found


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("s.json", "{", "no JSON"),
        ("s.json", "[]", "by case id"),
        ("s.json", '{"a": [{"kind": "lasso", "places": [[0, 1, 1]]}]}', "case a"),
        ("s.json", '{"a": {"objects": []}}', "objects"),
        ("s.csv", "case,kind,z,y\na,point,0,1\n", "no x"),
        ("s.csv", "case,kind,z,y,x,colour\na,point,0,1,2,red\n", "colour"),
        ("s.csv", "case,kind,z,y,x\na,point,0,1,nan\n", "finite"),
        ("s.csv", "case,kind,z,y,x\na,point,0,1,here\n", "no number"),
        ("s.csv", "case,kind,z,y,x\na,point,0,1\n", "line 2"),
        ("s.csv", "case,kind,z,y,x,adds\na,point,0,1,1,perhaps\n", "true or false"),
        ("s.csv", "case,kind,z,y,x,stroke\na,box,0,1,1,1\na,point,0,1,1,1\n", "differ in 'kind'"),
    ],
)
def test_what_it_cannot_mean_is_refused(tmp_path, name, text, says):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError, match=says):
        strokes_of(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        strokes_of(tmp_path / "none.json")

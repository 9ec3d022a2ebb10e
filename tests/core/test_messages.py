"""Error messages: one line, whatever is put into them, with what was found and what to try."""

from __future__ import annotations

from vesalius.core.errors import MissingExtra, UnknownName, VesaliusError


def test_a_message_is_one_line() -> None:
    error = VesaliusError("this is\nwrong.", found="a\ttab\r\nand more", hint="that\n")
    assert str(error) == "this is wrong; found a tab and more; try: that"
    assert error.exit_code == 2


def test_an_unknown_name_lists_the_closest_or_the_first() -> None:
    known = [f"net-{k}" for k in range(20)]
    assert UnknownName("net", "net-1", known).close[0] == "net-1"
    far = str(UnknownName("net", "qqqqqq", known))
    assert "one of net-0" in far and "(20 in all)" in far and far.count("net-") == 8


def test_an_unknown_name_where_there_is_none_says_so() -> None:
    assert str(UnknownName("target", "bogus", ())) == "unknown target 'bogus'; there is none"


def test_an_extra_says_what_to_install() -> None:
    assert (
        str(MissingExtra("onnx", "export")) == "'onnx' is not installed; try: pip install 'vesalius[export]'"
    )

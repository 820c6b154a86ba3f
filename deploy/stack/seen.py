"""What a condition saw when it was asked, for the error of a wait that was in vain.

    look(lambda: stack.live_calls() > 50)    False, "live_calls() = 49"
"""
import inspect
import reprlib
import sys

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 300
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxtuple, _SHORT.maxdict = 6, 20, 20, 30
_LONGEST = 3000


def look(condition):
    """Asks once. Its answer, and what that was made of: the values of the condition's own variables, and of the Python functions
    that it called itself; nothing when there are none and the answer tells no more than that it was not so."""
    code = getattr(inspect.unwrap(getattr(condition, "__func__", condition)), "__code__", None)
    seen = {}

    def note(frame, event, value):
        if event != "return":
            return
        if frame.f_code is code:
            own = frame.f_code.co_varnames + frame.f_code.co_cellvars
            seen.update({name: frame.f_locals[name] for name in own if name in frame.f_locals and name != "self"})
        elif frame.f_back and frame.f_back.f_code is code:
            seen[f"{frame.f_code.co_name}()"] = value

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        answer = condition()
    finally:
        sys.setprofile(before)
    if not seen and answer not in (None, False):
        return answer, _text(answer)
    return answer, ", ".join(f"{name} = {_text(value)}" for name, value in seen.items())[:_LONGEST]


def _text(value) -> str:
    """reprlib knows the plain types alone; a row of the database, for one, is none of them."""
    if isinstance(value, (list, tuple)) and type(value) not in (list, tuple):
        value = list(value)
    return _SHORT.repr(value)

"""Public checks of what another package brings: a task, a net, a format, a kind of answer, a phantom.

Each check drives the thing through the house's own doors, as a user would, and raises AssertionError with one sentence
at the first promise that is broken. A promise is a small function of its own; the tuples `TASK_PROMISES` and so on name
them all, so that a test can be made of each:

    @pytest.mark.parametrize("promise", TASK_PROMISES)
    def test_it_keeps(promise, trial): promise(trial)
"""

from vesalius.testing.answer import ANSWER_PROMISES, AnswerTrial, check_answer
from vesalius.testing.format import FORMAT_PROMISES, FormatTrial, check_format
from vesalius.testing.net import NET_PROMISES, NetTrial, check_net, net_checks, net_trials
from vesalius.testing.overtime import OVER_TIME_PROMISES, OverTimeTrial, over_time_trials
from vesalius.testing.phantom import PHANTOM_PROMISES, PhantomTrial, check_phantom
from vesalius.testing.task import TASK_PROMISES, TaskTrial, check_task

__all__ = [
    "ANSWER_PROMISES",
    "FORMAT_PROMISES",
    "NET_PROMISES",
    "OVER_TIME_PROMISES",
    "PHANTOM_PROMISES",
    "TASK_PROMISES",
    "AnswerTrial",
    "FormatTrial",
    "NetTrial",
    "OverTimeTrial",
    "PhantomTrial",
    "TaskTrial",
    "check_answer",
    "check_format",
    "check_net",
    "check_phantom",
    "check_task",
    "net_checks",
    "net_trials",
    "over_time_trials",
]

import os
import signal
import threading
import time

import pytest

from benchmark.runs.interruption import Terminated, caught, interruptible


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("sent", "raised"), [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)])
def test_a_signal_that_is_lost_in_a_destructor_comes_again(sent, raised, monkeypatch):
    monkeypatch.setattr("benchmark.runs.interruption.AGAIN", 0.1)

    class Swallows:
        def __del__(self):
            os.kill(os.getpid(), sent)
            time.sleep(0.01)

    def work():
        with interruptible():
            Swallows()
            lost.append(True)
            time.sleep(10)

    before, lost = signal.getsignal(sent), []
    with pytest.raises(KeyboardInterrupt) as stopped:
        work()
    assert lost and type(stopped.value) is raised
    assert signal.getsignal(sent) == before
    time.sleep(0.2)  # nothing rises after the block


def test_once_caught_it_does_not_rise_again(monkeypatch):
    monkeypatch.setattr("benchmark.runs.interruption.AGAIN", 0.05)
    with interruptible():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        except KeyboardInterrupt:
            caught()
        time.sleep(0.2)


def test_in_another_thread_it_does_nothing():
    failures = []

    def work():
        try:
            with interruptible():
                pass
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failures == []

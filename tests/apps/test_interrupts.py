import signal

import pytest

from lockon.apps.interrupts import deferred_interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_request_and_the_second_acts_as_before(number):
    class StoppedError(Exception):
        pass

    def stop(*_):
        raise StoppedError

    before = signal.signal(number, stop)
    try:
        with deferred_interrupts() as request:
            assert not request.received
            signal.raise_signal(number)
            assert request.received
            with pytest.raises(StoppedError):
                signal.raise_signal(number)
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, before)


def test_handlers_come_back_without_a_signal():
    before = signal.getsignal(signal.SIGINT)
    with deferred_interrupts() as request:
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
    assert not request.received

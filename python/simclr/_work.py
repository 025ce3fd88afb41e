"""Long calls of the library, on a thread of their own, so that Ctrl-C is seen while they run.

Python looks at signals between two lines of its main thread. A call that takes minutes would keep it waiting."""
import logging
import queue
import signal
import threading

LOGGER = logging.getLogger("simclr")
LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)
INTERRUPTED = -8


def log_line(_cookie, level, line):
    """The log callback of a context: to Python's logging, under the name "simclr"."""
    LOGGER.log(LEVELS[level], "%s", line.decode("utf-8", "backslashreplace"))


class Work:
    """One call of the library. post(function, *arguments) may be called on any thread: wait() calls it on its own."""

    def __init__(self, context, call):
        self.context, self.call = context, call
        self.events = queue.SimpleQueue()
        self.status, self.stopped, self.started, self.finished, self.withdrawn = None, False, False, False, False
        self._lock = threading.RLock()  # a collection inside it may free a model, which takes it again
        self._after = []

    def post(self, function, *arguments):
        self.events.put((function, arguments))

    def running(self):
        """Does the library still work on it? Then what it uses must stay."""
        return self.started and not self.finished

    def withdraw(self):
        """Nobody waits for the call any more: it does not begin. False where the library still works on it: it is asked
        to stop, and what it uses must stay until it has ended."""
        with self._lock:
            self.withdrawn = True
            if not self.running():
                return True
            self.context.interrupt()
            return False

    def leave(self, free):
        """Withdraws the call, and calls free() when the library no longer works on it: at once, or on its thread."""
        with self._lock:
            if not self.withdraw():
                self._after.append(free)
                return
        free()

    def _run(self):
        with self._lock:
            if self.withdrawn:
                return
            self.started = True
        try:
            self.status = self.call()
        finally:
            with self._lock:
                self.finished = True
                after, self._after = self._after, []
            self.events.put(None)
            for free in after:
                free()

    def _stop(self, *_):
        """Asks the library to return: what it works on is not given up before."""
        self.stopped = True
        if not self.finished:
            self.context.interrupt()

    def _dispatch(self):
        """Runs the events until the call has returned. The first exception of one stops it, and is returned."""
        raised = None
        while True:
            event = self.events.get()
            if event is None:
                return raised
            try:
                if raised is None:
                    event[0](*event[1])
            except BaseException as error:  # whatever it is, the library must return first
                self._stop()
                raised = error

    def wait(self):
        """Runs the call to its end and raises what stopped it, or what the library says of a failure.

        While it runs Ctrl-C does not raise KeyboardInterrupt anywhere: it asks the library to stop, and is raised when
        the library has. Where the program has a handler of its own for SIGINT, that one stays."""
        own = (threading.current_thread() is threading.main_thread()
               and signal.getsignal(signal.SIGINT) is signal.default_int_handler)
        if own:
            signal.signal(signal.SIGINT, self._stop)
        try:
            threading.Thread(target=self._run, name="simclr", daemon=True).start()
            raised = self._dispatch()
        finally:
            if own:
                signal.signal(signal.SIGINT, signal.default_int_handler)
        if raised is not None:
            raise raised
        if self.stopped:
            raise KeyboardInterrupt(self.context.error() if self.status == INTERRUPTED else "")
        self.context.check(self.status)

"""What the viewer sees: short lines with the time since the start, colours only on a terminal."""
import os
import sys
import time


class Screen:
    def __init__(self, quiet=False, out=sys.stdout):
        self.out = out
        self.quiet = quiet
        self.colour = out.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self.start = time.monotonic()

    def _paint(self, text, code):
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def line(self, text=""):
        print(text, file=self.out, flush=True)

    def head(self, text):
        if not self.quiet:
            self.line()
            self.line(self._paint(f"── {text}", "1"))

    def say(self, text):
        if not self.quiet:
            stamp = f"{time.monotonic() - self.start:8.3f}"
            self.line(f"{self._paint(stamp, '2')}  {text}")

    def good(self, text):
        self.say(f"{self._paint('✓', '32')} {text}")

    def bad(self, text):
        stamp = f"{time.monotonic() - self.start:8.3f}"
        self.line(f"{stamp}  {self._paint('✗ ' + text, '31')}")

    def table(self, head, rows):
        if self.quiet:
            return
        cells = [[str(c) for c in row] for row in [head] + rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
        for number, row in enumerate(cells):
            text = "  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip()
            self.line(f"{'':10}" + (self._paint(text, "2") if number == 0 else text))


def ms(value):
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.1f} ms"

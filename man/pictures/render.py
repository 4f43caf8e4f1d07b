#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws what a program printed for a terminal as an SVG picture.

    fmnist-tui --color always images 1 | render.py 'command line' > images.svg

Knows the colours and attributes of SGR sequences, and draws block elements as
rectangles, so that they meet as they do in a terminal.
"""
import re
import sys
import unicodedata
from collections import defaultdict
from html import escape

CELL_W, CELL_H = 8, 16
COLUMNS = 96  # longer lines go on in the next, as in a terminal
INK, PAPER = "#d8d8d8", "#1c1c1c"
BASIC = ["#1c1c1c", "#d0573f", "#6ba352", "#c9a03a", "#5590d0", "#b070c0",
         "#48a9a6", "#d8d8d8", "#767676", "#f07860", "#8fce74", "#eac65c",
         "#7fb4f0", "#d496e0", "#6fcfcb", "#ffffff"]
# Parts of a cell that a block element covers: x, y, width, height in eighths.
BLOCKS = {"▀": (0, 0, 8, 4), "▄": (0, 4, 8, 4), "█": (0, 0, 8, 8),
          "▌": (0, 0, 4, 8), "▐": (4, 0, 4, 8)}


def colour(n):
    """Colour n of a terminal with 256."""
    if n < 16:
        return BASIC[n]
    if n >= 232:
        return "#" + 3 * f"{8 + 10 * (n - 232):02x}"
    n -= 16
    levels = (0, 95, 135, 175, 215, 255)
    return "#%02x%02x%02x" % tuple(levels[n // k % 6] for k in (36, 6, 1))


class Pen:
    """Attributes of the text that follows."""

    def __init__(self):
        self.fg = self.bg = None
        self.bold = self.dim = self.reverse = False

    def apply(self, codes):
        codes = [int(c or 0) for c in codes.split(";")]
        while codes:
            c = codes.pop(0)
            if c == 0:
                self.__init__()
            elif c in (1, 2, 7):
                setattr(self, {1: "bold", 2: "dim", 7: "reverse"}[c], True)
            elif c == 22:
                self.bold = self.dim = False
            elif c == 27:
                self.reverse = False
            elif c in (38, 48):
                kind = codes.pop(0)
                if kind == 5:
                    value = colour(codes.pop(0))
                else:
                    value = "#%02x%02x%02x" % tuple(codes[:3])
                    del codes[:3]
                setattr(self, "fg" if c == 38 else "bg", value)
            elif c in (39, 49):
                setattr(self, "fg" if c == 39 else "bg", None)
            elif 30 <= c <= 37 or 40 <= c <= 47:
                setattr(self, "fg" if c < 40 else "bg", colour(c % 10))
            elif 90 <= c <= 97 or 100 <= c <= 107:
                setattr(self, "fg" if c < 100 else "bg", colour(c % 10 + 8))

    def colours(self):
        fg, bg = self.fg or INK, self.bg
        if self.reverse:
            fg, bg = bg or PAPER, fg
        return fg, bg


def cells(text):
    """Yields row, column, character, ink, paper, bold, dim."""
    pen = Pen()
    row = column = 0
    for codes, c in re.findall(r"\x1b\[([0-9;]*)m|(?:\x1b\([A-Z])|(.)", text,
                               re.S):
        if not c:
            pen.apply(codes)
        elif c == "\n":
            row, column = row + 1, 0
        elif c >= " ":
            if column >= COLUMNS:
                row, column = row + 1, 0
            yield (row, column, c, *pen.colours(), pen.bold, pen.dim)
            column += 2 if unicodedata.east_asian_width(c) in "WF" else 1


def picture(title, text):
    """The SVG text: rectangles by colour, then runs of characters."""
    boxes = defaultdict(list)
    runs = []
    width = height = 0
    for row, column, c, ink, paper, bold, dim in cells(text):
        width, height = max(width, column + 1), max(height, row + 1)
        parts = [(paper, (0, 0, 8, 8))] if paper else []
        if c in BLOCKS:
            parts.append((ink, BLOCKS[c]))
        for fill, (x, y, w, h) in parts:
            box = (column * 8 + x, row * 8 + y, w, h)
            last = boxes[fill][-1] if boxes[fill] else None
            if last and last[1::2] == box[1::2] and last[0] + last[2] == box[0]:
                boxes[fill][-1] = (last[0], last[1], last[2] + w, h)
            else:
                boxes[fill].append(box)
        if c in BLOCKS or c == " ":
            continue
        style = (row, ink, bold, dim)
        if runs and runs[-1][0] == style and \
                runs[-1][1] + len(runs[-1][2]) == column:
            runs[-1][2] += c
        else:
            runs.append([style, column, c])
    top = 40
    w, h = width * CELL_W + 32, height * CELL_H + top + 16
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" '
           f'viewBox="0 0 {w} {h}">',
           f'<rect width="{w}" height="{h}" rx="8" fill="{PAPER}"/>',
           f'<g font-family="DejaVu Sans Mono,Menlo,Consolas,monospace" '
           f'font-size="13.3" fill="{INK}">',
           f'<text x="16" y="24" fill="#8a8a8a">$ {escape(title)}</text>',
           f'<g transform="translate(16 {top})">']
    out += paths(boxes)
    for (row, ink, bold, dim), column, s in runs:
        attributes = f' fill="{ink}"' if ink != INK else ""
        attributes += ' font-weight="bold"' if bold else ""
        attributes += ' opacity=".6"' if dim else ""
        out.append(f'<text x="{column * CELL_W}" y="{row * CELL_H + 12}" '
                   f'textLength="{len(s) * CELL_W}"{attributes} '
                   f'xml:space="preserve">{escape(s)}</text>')
    return "\n".join(out + ["</g>", "</g>", "</svg>", ""])


def paths(boxes):
    """One path for each colour; the shape of the cells is in the scale."""
    for fill, list_ in boxes.items():
        d = "".join(f"M{x} {y}h{w}v{h}h-{w}z" for x, y, w, h in list_)
        yield (f'<path transform="scale(1 2)" shape-rendering="crispEdges" '
               f'fill="{fill}" d="{d}"/>')


if __name__ == "__main__":
    sys.stdout.write(picture(sys.argv[1], sys.stdin.read()))

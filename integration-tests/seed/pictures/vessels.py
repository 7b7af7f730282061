"""Ceramics, glass, brass and lamps."""

import math

from .canvas import (FLOOR, box_d, circle, darker, ellipse, lighter, line, lozenge_d, mix, oval_d, path,
                     points, polygon_d, rect, ring_of, row, star_d, turned_d)

GOLD = "#d9a441"


def tagine(d, colour, second="#f6ecd8", ornament="teeth"):
    d.shadow(400, FLOOR + 38, 250)
    dome = turned_d(400, [(236, 34, 1), (300, 52), (380, 96), (470, 160), (548, 216, 1)])
    paint = rect(180, 500, 440, 10, second) + row(ornament, 190, 610, 470, 44, 46, second, lighter(colour, 0.4))
    paint += rect(180, 424, 440, 8, second) + row("dots", 260, 540, 396, 34, 22, second)
    paint += rect(180, 350, 440, 8, second)
    d.solid(dome, colour, paint, shade=40)
    d.solid(turned_d(400, [(196, 40, 1), (214, 52), (236, 36, 1)]), darker(colour, 0.15), shade=12)
    base = turned_d(400, [(552, 246, 1), (590, 232), (640, 190), (676, 150, 1)])
    d.solid(base, darker(colour, 0.08), rect(140, 580, 520, 36, second)
            + row("lozenges", 150, 650, 598, 38, 26, colour), shade=34)
    d.solid(box_d(148, 540, 504, 24, 12), lighter(colour, 0.2), shade=14)


def bowl(d, colour, second="#f6ecd8", ornament="lozenges", deep=False):
    low = 676
    top = 380 if deep else 440
    d.shadow(400, FLOOR + 38, 190)
    outer = turned_d(400, [(top, 236, 1), (top + 90, 216), (low - 70, 140), (low - 34, 96, 1), (low, 106, 1)])
    paint = rect(150, top + 44, 500, 74, second) + row(ornament, 160, 640, top + 81, 56, 54, colour, darker(colour, 0.3))
    paint += rect(150, top + 132, 500, 9, second) + row("dots", 200, 600, top + 166, 34, 18, second)
    d.solid(outer, colour, paint, shade=42)
    d.solid(oval_d(400, top, 240, 46), second, shade=16)
    d.solid(oval_d(400, top + 3, 220, 37), darker(colour, 0.12), ring_of(
        16, 400, top + 3, 150, lambda x, y, a: circle(x, top + 3 + (y - top - 3) * 0.17, 6, second)), shade=30)


def plate(d, colour, second="#f6ecd8", third="#d98a3d"):
    """A plate, seen from above, standing on its rim."""
    d.shadow(400, FLOOR + 38, 170)
    x, y, r = 400, 430, 246
    paint = circle(x, y, r - 12, colour)
    paint += ring_of(32, x, y, r - 40, lambda px, py, a: circle(px, py, 8, second))
    paint += circle(x, y, r - 62, second)
    paint += ring_of(16, x, y, r - 92, lambda px, py, a: path(
        lozenge_d(px, py, 13, 26), colour, transform=f"rotate({a:.1f} {px:.1f} {py:.1f})"))
    paint += circle(x, y, r - 124, colour)
    paint += path(star_d(x, y, r - 128), second) + path(star_d(x, y, r - 152), third)
    paint += path(star_d(x, y, r - 176, 22.5), second) + circle(x, y, 32, colour) + path(star_d(x, y, 22), second)
    d.solid(oval_d(x, y, r, r), second, paint, shade=22)
    d.add(circle(x, y, r - 62, "none", stroke=darker(colour, 0.2), stroke_width=4, opacity=0.5))


def tiles(d, colour, second="#f6ecd8", third="#d98a3d"):
    """Four zellij tiles, laid together."""
    d.shadow(400, FLOOR + 36, 250)
    size = 226
    for j in range(2):
        for i in range(2):
            x, y = 400 - size - 4 + i * (size + 8), 212 + j * (size + 8)
            cx, cy = x + size / 2, y + size / 2
            paint = path(star_d(cx, cy, size * 0.49), colour) + path(star_d(cx, cy, size * 0.36), second)
            paint += path(star_d(cx, cy, size * 0.26, 22.5), third) + path(star_d(cx, cy, size * 0.14), colour)
            for dx in (0, size):
                for dy in (0, size):
                    paint += path(star_d(x + dx, y + dy, size * 0.2), third)
                    paint += path(star_d(x + dx, y + dy, size * 0.11), colour)
            d.solid(box_d(x, y, size, size, 8), second, paint, shade=12)


def mug(d, colour, second="#f6ecd8", ornament="waves"):
    d.shadow(400, FLOOR + 36, 170)
    d.add(line("M522 420C640 400 640 580 516 570", darker(colour, 0.1), 34))
    d.add(line("M522 416C630 400 630 572 516 564", lighter(colour, 0.15), 12))
    body = turned_d(400, [(350, 140, 1), (450, 136), (580, 132), (650, 118), (674, 96, 1)])
    paint = path("M240 330h320v120q-40 40-80 0t-80 0t-80 0t-80 0Z", second)
    paint += row(ornament, 260, 540, 570, 56, 40, second)
    d.solid(body, colour, paint, shade=34)
    d.solid(oval_d(400, 350, 142, 26), second, shade=10)
    d.solid(oval_d(400, 353, 126, 19), "#5a3a26", shade=14)


def teaglasses(d, colour, second=GOLD):
    """Three small Moroccan glasses with a gilt band."""
    for x, y, s in ((270, 0, 0.92), (530, 0, 0.92), (400, 30, 1.06)):
        d.shadow(x, FLOOR + 4 + y, 86 * s)
        top, low = FLOOR - 250 * s + y, FLOOR + y
        glass = turned_d(x, [(top, 84 * s, 1), (top + 70 * s, 72 * s), (low - 90 * s, 60 * s), (low - 20 * s, 62 * s),
                             (low, 56 * s, 1)])
        paint = rect(x - 120, top + 56 * s, 240, 300, "#cf8f3c")
        paint += rect(x - 120, top + 86 * s, 240, 74 * s, colour)
        paint += row("arches", x - 84 * s, x + 84 * s, top + 124 * s, 34 * s, 50 * s, second)
        paint += rect(x - 120, top + 82 * s, 240, 7, second) + rect(x - 120, top + 160 * s, 240, 7, second)
        paint += rect(x - 120, top, 240, 11, second)
        d.solid(glass, mix(colour, "#ffffff", 0.7), paint, shade=16)


def teapot(d, colour, second=GOLD, ornament="leaves"):
    d.shadow(400, FLOOR + 38, 190)
    d.add(line("M560 370C690 330 700 560 556 566", darker(colour, 0.2), 30))
    d.add(line("M560 366C680 334 690 552 556 560", lighter(colour, 0.25), 9))
    spout = "M270 570C180 560 190 430 128 380L168 350C220 380 250 440 296 452Z"
    d.solid(spout, darker(colour, 0.06), shade=14)
    body = turned_d(400, [(330, 104, 1), (390, 134), (500, 186), (590, 170), (640, 112, 1), (674, 128, 1)])
    paint = rect(190, 470, 420, 86, darker(colour, 0.16)) + row(ornament, 210, 590, 513, 64, 50, second)
    paint += rect(190, 464, 420, 7, second) + rect(190, 554, 420, 7, second)
    paint += row("teeth", 250, 550, 400, 28, 24, second)
    d.solid(body, colour, paint, shade=38)
    lid = turned_d(400, [(216, 18, 1), (260, 40), (300, 92), (332, 112, 1)])
    d.solid(lid, lighter(colour, 0.06), row("dots", 300, 500, 310, 26, 14, second), shade=24)
    d.solid(oval_d(400, 200, 24, 28), second, shade=9)


def tray(d, colour, second=None):
    """A round engraved tray."""
    second = second or darker(colour, 0.38)
    d.shadow(400, FLOOR + 38, 180)
    x, y, r = 400, 420, 254
    paint = ring_of(48, x, y, r - 20, lambda px, py, a: circle(px, py, 9, darker(colour, 0.2)))
    paint += circle(x, y, r - 40, mix(colour, "#fff3c9", 0.25))
    paint += ring_of(24, x, y, r - 70, lambda px, py, a: path(
        f"M{px:.1f} {py - 20:.1f}q16 20 0 40q-16-20 0-40Z", second, transform=f"rotate({a:.1f} {px:.1f} {py:.1f})"))
    paint += circle(x, y, r - 96, "none", stroke=second, stroke_width=5)
    for turn in (0, 11.25):
        paint += path(star_d(x, y, r - 104, turn, 16, 0.86), "none", stroke=second, stroke_width=4)
    paint += path(star_d(x, y, 104), second) + path(star_d(x, y, 84), mix(colour, "#fff3c9", 0.3))
    paint += path(star_d(x, y, 56, 22.5), second) + circle(x, y, 22, colour)
    d.solid(oval_d(x, y, r, r), colour, paint, shade=26)
    d.add(path("M210 330A230 230 0 0 1 330 214", "none", stroke="#fffbe8", stroke_width=12, opacity=0.6,
               stroke_linecap="round"))


def cezve(d, colour, handle="#5a3a26"):
    """A small pot with a long handle, for coffee."""
    d.shadow(380, FLOOR + 38, 150)
    d.add(line("M480 420L700 300", handle, 30), line("M484 412L690 300", lighter(handle, 0.25), 7))
    body = turned_d(370, [(390, 92, 1), (430, 84), (500, 112), (600, 138), (660, 130), (676, 118, 1)])
    paint = row("lozenges", 230, 510, 590, 40, 54, darker(colour, 0.35)) + "".join(
        rect(200, y, 340, 6, darker(colour, 0.3)) for y in (548, 628, 470))
    hammer = "".join(ellipse(250 + 34 * (i % 9), 500 + 20 * (i // 9), 9, 6, lighter(colour, 0.3))
                     for i in range(18))
    d.solid(body, colour, paint + hammer, shade=34)
    d.solid("M270 392L232 372L300 372Z", lighter(colour, 0.1), shade=4)
    d.solid(oval_d(370, 388, 96, 19), darker(colour, 0.25), ellipse(376, 392, 84, 13, "#4a2c1b"), shade=8)


def dallah(d, colour, second=None):
    """The beaked coffee pot of Arabia."""
    second = second or darker(colour, 0.4)
    d.shadow(400, FLOOR + 38, 160)
    d.add(line("M470 340C640 300 650 520 500 600", darker(colour, 0.25), 28),
          line("M470 334C630 304 640 512 500 592", lighter(colour, 0.3), 8))
    d.solid("M340 360C250 350 220 300 150 290C170 320 220 400 330 440Z", darker(colour, 0.05), shade=10)
    body = turned_d(400, [(310, 88, 1), (380, 72), (450, 84), (560, 140), (630, 150), (676, 124, 1)])
    paint = rect(220, 560, 360, 60, second) + row("lozenges", 236, 564, 590, 40, 44, lighter(colour, 0.2))
    paint += "".join(rect(220, y, 360, 6, second) for y in (360, 372, 470))
    paint += row("teeth", 300, 500, 500, 30, 30, second)
    d.solid(body, colour, paint, shade=32)
    lid = turned_d(400, [(150, 8, 1), (200, 16), (240, 36), (286, 86), (314, 96, 1)])
    d.solid(lid, lighter(colour, 0.08), rect(280, 284, 240, 7, second), shade=22)
    d.solid(oval_d(400, 146, 18, 24), second, shade=7)


def mortar(d, colour):
    d.shadow(400, FLOOR + 38, 180)
    d.add(line("M476 400L590 150", darker(colour, 0.2), 46), line("M470 392L580 152", lighter(colour, 0.35), 12))
    d.solid(oval_d(594, 144, 38, 34), colour, shade=12)
    body = turned_d(400, [(390, 186, 1), (440, 168), (560, 140), (620, 126), (646, 168, 1), (676, 176, 1)])
    paint = "".join(rect(200, y, 400, 7, darker(colour, 0.35)) for y in (430, 446, 590, 606))
    paint += row("arches", 236, 564, 522, 48, 96, darker(colour, 0.3))
    d.solid(body, colour, paint, shade=38)
    d.solid(oval_d(400, 390, 190, 30), lighter(colour, 0.2), shade=10)
    d.solid(oval_d(400, 393, 168, 22), darker(colour, 0.4), shade=14)


def lantern(d, colour, glass="#f2b440", second="#c9503c"):
    """A hanging lantern with panes of coloured glass."""
    d.add(line("M400 60V176", darker(colour, 0.1), 7))
    d.add(circle(400, 190, 20, "none", stroke=colour, stroke_width=9))
    d.add(circle(400, 450, 230, "#ffd98a", opacity=0.16), circle(400, 450, 170, "#ffd98a", opacity=0.2))
    d.solid("M400 204C424 250 500 290 540 336H260C300 290 376 250 400 204Z", colour, row(
        "teeth", 260, 540, 322, 28, 22, darker(colour, 0.35)), shade=22)
    panes = polygon_d([(284, 350), (516, 350), (556, 460), (510, 596), (290, 596), (244, 460)])
    light = path(panes, glass)
    for sign in (-1, 1):
        edge = [(58, 350), (116, 350), (156, 460), (110, 596), (58, 596)]
        light += path(polygon_d([(400 + sign * x, y) for x, y in edge]), second)
    light += path(star_d(400, 470, 70), lighter(glass, 0.65)) + path(star_d(400, 470, 34, 22.5), second)
    d.solid(panes, glass, light, shade=12)
    for pts in ([(284, 350), (244, 460), (290, 596)], [(342, 350), (342, 596)], [(458, 350), (458, 596)],
                [(516, 350), (556, 460), (510, 596)], [(244, 460), (342, 460)], [(458, 460), (556, 460)]):
        d.add(f'<polyline points="{points(pts)}" fill="none" stroke="{darker(colour, 0.15)}" stroke-width="9"/>')
    d.solid(box_d(246, 332, 308, 24, 10), lighter(colour, 0.12), shade=10)
    d.solid(polygon_d([(276, 592), (524, 592), (500, 640), (440, 664), (360, 664), (300, 640)]), colour, row(
        "dots", 300, 500, 616, 30, 20, darker(colour, 0.35)), shade=18)
    d.add(circle(400, 680, 14, colour))


def mosaic(d, colour, second="#e0a03c", third="#3f8f9c", table=True):
    """A globe of glass mosaic, on a foot or hanging."""
    x, y, r = 400, 380 if table else 430, 176
    if table:
        d.shadow(400, FLOOR + 34, 130)
    else:
        d.add(line(f"M400 60V{y - r - 30}", GOLD, 7))
    d.add(circle(x, y, r + 70, "#ffd98a", opacity=0.16), circle(x, y, r + 30, "#ffd98a", opacity=0.2))
    paint = ""
    for ring, (radius, count) in enumerate(((150, 26), (118, 20), (86, 16))):
        tone = (colour, third, second)[ring]
        paint += ring_of(count, x, y, radius, lambda px, py, a, t=tone: path(
            lozenge_d(px, py, 13, 15), t, transform=f"rotate({a:.1f} {px:.1f} {py:.1f})"))
    paint += ring_of(8, x, y, 44, lambda px, py, a: ellipse(
        px, py, 17, 27, colour, transform=f"rotate({a:.1f} {px:.1f} {py:.1f})"))
    paint += circle(x, y, 20, second)
    paint += ring_of(26, x, y, 170, lambda px, py, a: circle(px, py, 9, second))
    d.solid(oval_d(x, y, r, r), "#fff0c4", paint, shade=24)
    if table:
        foot = turned_d(400, [(548, 54, 1), (570, 30), (610, 24), (640, 60), (672, 108, 1)])
        d.solid(foot, GOLD, rect(300, 606, 200, 6, darker(GOLD, 0.3)) + rect(300, 650, 200, 6, darker(GOLD, 0.3)), shade=18)
        d.solid(turned_d(400, [(190, 12, 1), (204, 36), (222, 50, 1)]), GOLD, shade=10)
    else:
        d.solid(turned_d(400, [(y - r - 34, 14, 1), (y - r - 14, 44), (y - r + 14, 66, 1)]), GOLD, shade=12)
        d.solid(turned_d(400, [(y + r - 12, 60, 1), (y + r + 6, 34), (y + r + 30, 8, 1)]), GOLD, shade=9)


def candles(d, colour, second=None):
    """Three pillar candles, lit."""
    second = second or lighter(colour, 0.35)
    for x, top, w, tone in ((280, 430, 62, second), (520, 380, 62, darker(colour, 0.1)), (400, 300, 72, colour)):
        d.shadow(x, FLOOR + 30, w * 1.25)
        d.add(circle(x, top - 62, 96, "#ffd98a", opacity=0.18), circle(x, top - 58, 56, "#ffd98a", opacity=0.3))
        paint = row("arches", x - w, x + w, 590, 42, 84, darker(tone, 0.13)) + rect(x - w, 648, 2 * w, 6, darker(tone, 0.16))
        d.solid(box_d(x - w, top, 2 * w, 672 - top, 16), tone, paint, shade=26)
        d.solid(oval_d(x, top + 6, w - 2, 15), lighter(tone, 0.35), shade=6)
        d.add(line(f"M{x} {top + 4}v-24", "#4a3a2c", 5))
        d.add(path(f"M{x} {top - 92}C{x + 32} {top - 50} {x + 24} {top - 18} {x} {top - 16}"
                   f"C{x - 24} {top - 18} {x - 32} {top - 50} {x} {top - 92}Z", "#f7a935"))
        d.add(path(f"M{x} {top - 62}C{x + 15} {top - 40} {x + 11} {top - 22} {x} {top - 20}"
                   f"C{x - 11} {top - 22} {x - 15} {top - 40} {x} {top - 62}Z", "#fff1b8"))


def sconce(d, colour):
    """A pierced brass dome on the wall; the light falls through the holes."""
    d.add(circle(400, 430, 260, "#ffd98a", opacity=0.14))
    for i in range(24):
        angle = 2 * math.pi * i / 24
        d.add(line(f"M{400 + 190 * math.cos(angle):.1f} {430 + 190 * math.sin(angle):.1f}"
                   f"L{400 + (250 + 30 * (i % 2)) * math.cos(angle):.1f} {430 + (250 + 30 * (i % 2)) * math.sin(angle):.1f}",
                   "#ffe3a3", 7, opacity=0.5))
    holes = ""
    for radius, count, size in ((150, 28, 9), (118, 22, 12), (82, 16, 10)):
        holes += ring_of(count, 400, 430, radius, lambda x, y, a, s=size: circle(x, y, s, "#fff0c0"))
    holes += path(star_d(400, 430, 58), "#fff0c0") + path(star_d(400, 430, 26, 22.5), colour)
    d.solid(oval_d(400, 430, 182, 182), colour, holes, shade=26)
    d.add(circle(400, 430, 180, "none", stroke=darker(colour, 0.3), stroke_width=8))


def goblets(d, colour, second=None):
    """Two hammered cups and a jug behind them."""
    second = second or darker(colour, 0.35)
    d.shadow(400, FLOOR + 34, 240)
    d.add(line("M480 300C590 290 580 470 476 480", darker(colour, 0.2), 24))
    jug = turned_d(400, [(196, 66, 1), (260, 50), (330, 84), (450, 110), (560, 84), (600, 90, 1)])
    dents = "".join(ellipse(300 + 32 * (i % 7) + (16 if i // 7 % 2 else 0), 350 + 26 * (i // 7), 11, 8,
                            lighter(colour, 0.22)) for i in range(49))
    d.solid(jug, colour, dents + rect(280, 300, 240, 7, second), shade=28)
    d.solid("M340 200L300 176L372 188Z", lighter(colour, 0.1), shade=3)
    for x in (270, 530):
        cup = turned_d(x, [(452, 84, 1), (560, 78), (640, 62), (674, 54, 1)])
        dents = "".join(ellipse(x - 84 + 28 * (i % 7) + (14 if i // 7 % 2 else 0), 520 + 25 * (i // 7), 10, 7,
                                lighter(colour, 0.3)) for i in range(42))
        d.solid(cup, mix(colour, "#e8a27a", 0.2), dents + rect(x - 100, 490, 200, 6, second), shade=22)
        d.solid(oval_d(x, 452, 86, 15), darker(colour, 0.3), shade=6)


MOTIFS = {f.__name__: f for f in (tagine, bowl, plate, tiles, mug, teaglasses, teapot, tray, cezve, dallah, mortar,
                                  lantern, mosaic, candles, sconce, goblets)}

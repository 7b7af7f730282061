"""Soap and hammam, instruments, paper and ink."""

from .canvas import (FLOOR, box_d, circle, curve_d, darker, ellipse, lighter, line, lozenge_d, mix, oval_d,
                     path, polygon_d, rect, ring_of, row, star_d, turned_d)
from .pantry import grains, scatter

WOOD = "#8a5a34"


def soap(d, colour, second="#f3e6c8", flecks=None, wrapped=False):
    """Three bars, stacked."""
    d.shadow(400, FLOOR + 36, 230)
    for x, y, turn in ((196, 536, 0), (420, 540, 0), (296, 396, -4)):
        body = box_d(0, 0, 208, 134, 22)
        part = d.part()
        paint = ""
        if flecks:
            paint += grains(scatter(46, 0, 208, 0, 134, int(x)), flecks, 4)
        if wrapped:
            paint += rect(48, -4, 112, 150, second) + row("lozenges", 48, 160, 67, 38, 56, colour, darker(colour, 0.3))
            paint += rect(44, -4, 6, 150, darker(second, 0.2)) + rect(158, -4, 6, 150, darker(second, 0.2))
        else:
            paint += path(star_d(104, 67, 46), "none", stroke=darker(colour, 0.25), stroke_width=5)
            paint += path(star_d(104, 67, 24, 22.5), darker(colour, 0.2))
        part.solid(body, colour, paint, shade=16)
        d.add_moved(part, x, y, turn)
    for x, y, r in ((620, 640, 26), (660, 596, 15), (172, 500, 14), (560, 380, 20), (590, 336, 11), (212, 420, 22)):
        d.add(circle(x, y, r, "#ffffff", opacity=0.65), circle(x - r * 0.3, y - r * 0.3, r * 0.25, "#ffffff"))


def pot(d, colour, lid="#a8763e", ornament="leaves", content=None):
    """A low round pot: black soap, clay, balm."""
    d.shadow(400, FLOOR + 36, 210)
    body = turned_d(400, [(440, 200, 1), (500, 214), (600, 210), (660, 180), (676, 160, 1)])
    paint = rect(180, 500, 440, 112, "#fbf3df") + rect(180, 492, 440, 6, lid) + rect(180, 614, 440, 6, lid)
    paint += row(ornament, 196, 604, 556, 74, 66, mix(colour, "#000000", 0.1), darker(colour, 0.4))
    d.solid(body, colour, paint, shade=40)
    if content:
        d.solid(oval_d(400, 440, 204, 34), darker(colour, 0.25), shade=10)
        heap = curve_d([(226, 440), (290, 396), (370, 372), (430, 388), (500, 380), (574, 438), (400, 466)], True)
        d.solid(heap, content, line("M300 420q60-36 120-12t110-4", lighter(content, 0.35), 7), shade=18)
        d.add(line("M470 400L600 210", WOOD, 22), line("M474 392L598 214", lighter(WOOD, 0.3), 6))
    else:
        d.solid(box_d(186, 370, 428, 82, 24), lid, rect(186, 420, 428, 7, darker(lid, 0.25)), shade=24)
        d.solid(oval_d(400, 362, 34, 24), darker(lid, 0.1), shade=9)


def glove(d, colour, second="#f3e6c8"):
    """A scrubbing mitt."""
    d.shadow(400, FLOOR + 36, 170)
    body = ("M278 676V470C240 420 236 330 268 300C290 284 306 300 308 330C306 240 350 176 420 176C500 176 540 240 540 330V676Z")
    weave = "".join(line(f"M{x} 160V700", darker(colour, 0.1), 3) for x in range(240, 560, 13))
    weave += "".join(line(f"M220 {y}H560", lighter(colour, 0.12), 3) for y in range(170, 700, 13))
    weave += rect(240, 588, 320, 100, second) + row("lozenges", 278, 540, 632, 44, 56, colour)
    d.solid(body, colour, weave, shade=30)
    d.add(line("M540 640q60 6 54 60q-30 26-54-20", second, 10))


def basket(d, colour, second="#d8607a"):
    """A gift basket for the bath: towel, soap, bottle."""
    d.shadow(400, FLOOR + 38, 240)
    d.solid(turned_d(300, [(226, 22, 1), (290, 24), (330, 56), (520, 60, 1)]), second, rect(230, 380, 140, 80, "#fbf3df")
            + path(star_d(300, 420, 30), second), shade=16)
    d.solid(box_d(276, 190, 48, 44, 8), "#c9973b", shade=8)
    d.solid(box_d(370, 300, 180, 240, 50), "#f5efe2", "".join(rect(360, y, 200, 9, "#4d9991") for y in (340, 360, 380)), shade=22)
    d.solid(box_d(360, 420, 120, 90, 16), "#9bb56a", path(star_d(420, 462, 28), darker("#9bb56a", 0.25)), shade=12)
    body = "M170 470H630L590 660C588 672 576 678 566 678H234C224 678 212 672 210 660Z"
    weave = ""
    for j in range(11):
        for i in range(16):
            weave += path(box_d(160 + 32 * i + (16 if j % 2 else 0), 470 + 20 * j, 26, 15, 6), darker(colour, 0.14))
    d.solid(body, colour, weave, shade=34)
    d.solid(box_d(158, 456, 484, 32, 16), lighter(colour, 0.2), "".join(
        line(f"M{x} 450l18 44", darker(colour, 0.2), 6) for x in range(150, 650, 26)), shade=10)


def stone(d, colour):
    """Pumice, and a foot rasp of fired clay."""
    d.shadow(400, FLOOR + 34, 230)
    blob = curve_d([(200, 600), (230, 500), (330, 440), (440, 456), (540, 520), (580, 620), (520, 672), (380, 680), (250, 668)], True)
    pores = "".join(ellipse(x, y, 9 if i % 3 else 15, 6 if i % 3 else 9, darker(colour, 0.28))
                    for i, (x, y) in enumerate(scatter(80, 200, 580, 440, 680, 17)))
    d.solid(blob, colour, pores, shade=32)
    d.add(line("M520 430q60-150 100-60t-60 130", "#d9bb80", 12))


# Instruments.

def oud(d, colour, second="#f0d9a8"):
    d.shadow(400, FLOOR + 38, 150)
    part = d.part()
    part.solid(polygon_d([(-26, -330), (26, -330), (30, -110), (-30, -110)]), darker(colour, 0.35), shade=8)
    part.solid(polygon_d([(-24, -330), (24, -330), (96, -384), (70, -410)]), darker(colour, 0.15), shade=6)
    for k in range(4):
        x, y = 26 + 17 * k, -346 - 14 * k
        part.add(line(f"M{x} {y}l18 34M{x} {y}l-12-30", darker(colour, 0.4), 8))
    body = "M-30 -110C-130 -70 -206 30 -190 120C-176 210 -90 250 0 250C90 250 176 210 190 120C206 30 130 -70 30 -110Z"
    paint = ""
    for cx, cy, r in ((0, 10, 54), (-78, 60, 25), (78, 60, 25)):
        paint += circle(cx, cy, r, darker(colour, 0.4)) + path(star_d(cx, cy, r * 0.92), second)
        paint += path(star_d(cx, cy, r * 0.6, 22.5), darker(colour, 0.4)) + path(star_d(cx, cy, r * 0.3), second)
        paint += circle(cx, cy, r, "none", stroke=darker(colour, 0.15), stroke_width=6)
    paint += rect(-64, 166, 128, 20, darker(colour, 0.35), 8)
    paint += path("M-30 -110C-130 -70 -206 30 -190 120C-176 210 -90 250 0 250C90 250 176 210 190 120C206 30 130 -70 30 -110Z",
                  "none", stroke=darker(colour, 0.1), stroke_width=20)
    part.solid(body, second, paint, shade=26)
    for k in (-18, -11, -4, 4, 11, 18):
        part.add(line(f"M{k} -330L{k * 2.2:.0f} 172", "#fffbe8", 2.4))
    d.add_moved(part, 392, 450, 14, 0.88)


def darbuka(d, colour, second=None, ornament="stars"):
    second = second or lighter(colour, 0.7)
    d.shadow(400, FLOOR + 38, 170)
    body = turned_d(400, [(250, 176, 1), (330, 160), (420, 96), (470, 70), (560, 84), (640, 130), (676, 150, 1)])
    paint = "".join(path(lozenge_d(240 + 40 * i + (20 if j % 2 else 0), 290 + 26 * j, 17, 12), second if (i + j) % 3 else darker(colour, 0.3))
                    for j in range(16) for i in range(9))
    paint += rect(200, 440, 400, 62, darker(colour, 0.2)) + row(ornament, 320, 480, 471, 44, 38, second)
    paint += rect(200, 436, 400, 6, second) + rect(200, 502, 400, 6, second)
    d.solid(body, colour, paint, shade=36)
    d.solid(box_d(212, 228, 376, 46, 20), "#d6b06a", "".join(
        circle(x, 252, 8, darker("#d6b06a", 0.35)) for x in range(240, 580, 46)), shade=14)
    d.solid(oval_d(400, 228, 186, 38), "#f6ecd8", ellipse(400, 228, 70, 14, "#e6d5b0"), shade=18)


def frame_drum(d, colour, second="#f6ecd8", jingles=True):
    d.shadow(400, FLOOR + 36, 180)
    x, y, r = 400, 426, 248
    paint = circle(x, y, r - 30, second) + path(star_d(x, y, 120), "none", stroke=mix(colour, second, 0.4), stroke_width=7)
    paint += path(star_d(x, y, 62, 22.5), mix(colour, second, 0.55)) + circle(x, y, r - 44, "none",
                                                                             stroke=mix(colour, second, 0.5), stroke_width=4)
    if not jingles:
        paint += ring_of(20, x, y, r - 66, lambda px, py, a: path(lozenge_d(px, py, 9, 17), mix(colour, second, 0.3),
                         transform=f"rotate({a:.1f} {px:.1f} {py:.1f})"))
    paint += ring_of(40, x, y, r - 15, lambda px, py, a: path(lozenge_d(px, py, 7, 11), lighter(colour, 0.6),
                     transform=f"rotate({a:.1f} {px:.1f} {py:.1f})"))
    d.solid(oval_d(x, y, r, r), colour, paint, shade=22)
    if jingles:
        d.add(ring_of(5, x, y, r - 14, lambda px, py, a: group_jingle(px, py, a)))


def group_jingle(x, y, degrees):
    turn = f"rotate({degrees:.1f} {x:.1f} {y:.1f})"
    return (rect(x - 44, y - 17, 88, 34, "#3a2418", 8, transform=turn)
            + "".join(ellipse(x + k, y, 9, 24, tone, transform=turn)
                      for k, tone in ((-24, "#e3b84e"), (-9, "#b8902f"), (10, "#e3b84e"), (25, "#b8902f"))))


def ney(d, colour, second="#7a2637"):
    """Reed flutes of three lengths."""
    d.shadow(400, FLOOR + 34, 190)
    for i, (x, turn, length) in enumerate(((300, -16, 470), (400, 2, 530), (500, 18, 440))):
        part = d.part()
        tone = (darker(colour, 0.1), colour, lighter(colour, 0.15))[i]
        paint = "".join(rect(-30, -k, 60, 7, darker(tone, 0.3)) for k in range(60, length, length // 6))
        paint += "".join(ellipse(-3, -k, 7, 9, "#2a1a10") for k in range(130, 130 + 6 * 36, 36))
        paint += rect(-30, -length + 24, 60, 34, second) + rect(-30, -70, 60, 26, second)
        part.solid(box_d(-19, -length, 38, length, 5), tone, paint, shade=9)
        part.solid(polygon_d([(-24, -length + 8), (24, -length + 8), (13, -length - 34), (-13, -length - 34)]), "#2f2320", shade=6)
        d.add_moved(part, x, 672, turn)


def qanun(d, colour, second="#f0d9a8"):
    """A trapezoid zither."""
    d.shadow(400, FLOOR + 32, 280)
    top = polygon_d([(150, 640), (150, 440), (430, 300), (660, 640)])
    paint = path(polygon_d([(180, 612), (180, 460), (430, 336), (608, 612)]), second)
    for x, y, r in ((262, 540, 40), (400, 470, 34), (440, 566, 34)):
        paint += circle(x, y, r, darker(colour, 0.3)) + path(star_d(x, y, r * 0.92), second) + path(
            star_d(x, y, r * 0.5, 22.5), darker(colour, 0.3))
    paint += rect(150, 440, 26, 200, darker(colour, 0.2))
    for k in range(16):
        y = 452 + k * 11
        paint += line(f"M172 {y}L{440 + k * 12.5:.0f} {318 + k * 19.5:.0f}", "#fffbe8", 2)
    paint += "".join(circle(446 + k * 25, 332 + k * 39, 7, "#3a2418") for k in range(8))
    d.solid(top, colour, paint, shade=14)
    d.solid(polygon_d([(150, 640), (660, 640), (650, 676), (160, 676)]), darker(colour, 0.25), row(
        "lozenges", 160, 650, 658, 34, 20, second), shade=12)


def cymbals(d, colour, cord="#8a2f3f"):
    """Finger cymbals, two pairs."""
    d.shadow(400, FLOOR + 34, 250)
    d.add(line("M300 470C330 330 480 330 520 440", cord, 14))
    for x, y, r in ((270, 470, 118), (530, 450, 118), (330, 580, 106), (500, 584, 106)):
        rings = "".join(circle(x, y, r * k, "none", stroke=darker(colour, 0.22), stroke_width=3) for k in (.9, .8, .7, .6))
        rings += ring_of(20, x, y, r * 0.85, lambda px, py, a: circle(px, py, 3.4, darker(colour, 0.3)))
        d.solid(oval_d(x, y, r, r), colour, rings + circle(x, y, r * 0.4, lighter(colour, 0.3)), shade=16)
        d.add(circle(x, y, 13, darker(colour, 0.45)), circle(x, y, 8, cord))


# Paper.

def notebook(d, colour, second="#d9a441", strap=True, design="stars"):
    d.shadow(410, FLOOR + 36, 200)
    d.solid(box_d(250, 206, 330, 470, 12), darker(colour, 0.3), shade=8)
    d.add(rect(258, 650, 316, 18, "#f6efdd"), rect(566, 214, 10, 450, "#f6efdd"))
    paint = rect(232, 196, 42, 470, darker(colour, 0.22))
    paint += path(box_d(296, 222, 246, 416, 8), "none", stroke=second, stroke_width=6)
    if design == "stars":
        paint += path(star_d(419, 430, 100), second) + path(star_d(419, 430, 80), colour)
        paint += path(star_d(419, 430, 52, 22.5), second) + path(star_d(419, 430, 28), colour)
        for dy in (-158, 158):
            paint += path(lozenge_d(419, 430 + dy, 62, 24), second)
    elif design == "marbled":
        for k in range(13):
            tone = (second, lighter(colour, 0.4), darker(colour, 0.25), "#f3e6c8")[k % 4]
            y = 170 + 42 * k
            paint += line(f"M270 {y}q40-46 80 0t80 0t80 0t80 0", tone, 15)
            paint += circle(320 + 53 * (k % 5), y + 14, 10, tone)
    else:
        paint += "".join(row(design, 300, 538, y, 52, 40, second) for y in range(260, 640, 56))
    d.solid(box_d(232, 196, 330, 462, 12), colour, paint, shade=18)
    if strap:
        d.add(line("M488 190V664", darker(colour, 0.45), 14))


def ink(d, colour, label="#fbf3df"):
    """A bottle of ink and a reed pen."""
    d.shadow(380, FLOOR + 36, 170)
    body = turned_d(380, [(400, 60, 1), (440, 62), (470, 140), (530, 160), (640, 158), (676, 138, 1)])
    d.solid(body, mix(colour, "#ffffff", 0.15), path("M200 490h400v300H200Z", colour) + rect(236, 500, 14, 130, "#ffffff", 7, opacity=0.4),
            shade=28)
    paper = rect(290, 530, 180, 100, label, 8) + rect(298, 538, 164, 84, "none", 5, stroke=colour, stroke_width=3)
    paper += line("M330 590c20-50 40 30 60-6s30-20 44 6", colour, 8)
    d.add(paper)
    d.solid(box_d(310, 340, 140, 70, 14), "#c9973b", "".join(rect(x, 340, 5, 70, darker("#c9973b", 0.25)) for x in range(324, 450, 16)), shade=16)
    d.add(line("M520 660L640 210", "#b98f4e", 22), line("M526 640L642 214", "#e0c48c", 6))
    d.add(path("M509 656L531 662L512 712Z", "#5a3a1e"))


def pens(d, colour, second="#7a2637"):
    """Reed pens in a cup."""
    d.shadow(400, FLOOR + 36, 130)
    for x, turn, top, tone in ((340, -14, 190, "#b98f4e"), (380, -5, 150, "#d0aa68"), (424, 5, 170, "#a87c3e"), (464, 14, 210, "#c79c58")):
        d.add(line(f"M{x} 500L{x + turn * 5} {top}", tone, 22), line(f"M{x - 4} 500L{x + turn * 5 - 4} {top + 6}", lighter(tone, 0.3), 5))
        d.add(path(f"M{x + turn * 5 - 11} {top}L{x + turn * 5 + 11} {top + 4}L{x + turn * 5 + 6} {top - 44}L{x + turn * 5 - 3} {top - 44}Z",
                   darker(tone, 0.45)))
    body = turned_d(400, [(440, 118, 1), (560, 114), (676, 104, 1)])
    paint = rect(270, 500, 260, 104, second) + row("stars", 286, 514, 552, 60, 52, lighter(colour, 0.4))
    paint += rect(270, 492, 260, 6, lighter(colour, 0.4)) + rect(270, 606, 260, 6, lighter(colour, 0.4))
    d.solid(body, colour, paint, shade=28)
    d.solid(oval_d(400, 440, 120, 20), darker(colour, 0.35), shade=8)


def sheets(d, colour, second="#b5452f", marbled=False):
    """A stack of fine paper with a wax seal, or marbled sheets."""
    d.shadow(400, FLOOR + 34, 250)
    for k in range(5):
        tone = darker(colour, 0.05 * (4 - k))
        d.add(path(polygon_d([(160 + 4 * k, 600 - 13 * k), (310 + 4 * k, 420 - 13 * k), (640 - 3 * k, 440 - 13 * k), (560 - 3 * k, 640 - 13 * k)]),
                   tone, stroke=darker(colour, 0.25), stroke_width=2))
    top = polygon_d([(176, 536), (326, 356), (628, 376), (548, 576)])
    if marbled:
        paint = ""
        for k in range(9):
            y = 350 + 28 * k
            paint += line(f"M160 {y}q36-40 72 0t72 0t72 0t72 0t72 0t72 0t72 0",
                          (second, "#2f6f8f", "#e0b03a", "#f6efdd")[k % 4], 13)
        d.solid(top, lighter(colour, 0.1), paint, shade=8)
    else:
        paint = "".join(line(f"M{258 - 14 * k} {452 + 17 * k}L{556 - 8 * k} {470 + 17 * k}", mix(colour, "#6b5a45", 0.55), 4)
                        for k in range(6))
        d.solid(top, lighter(colour, 0.35), paint, shade=8)
        d.solid(oval_d(520, 532, 52, 44), second, path(star_d(520, 532, 30), darker(second, 0.25)), shade=9)
        d.add(line("M600 220L420 500", "#b98f4e", 18), path("M410 496L428 506L404 536Z", "#5a3a1e"))


def stand(d, colour, second="#d9a441"):
    """A folding stand for a large book."""
    d.shadow(400, FLOOR + 38, 230)
    for sign in (1, -1):
        leg = polygon_d([(400 - sign * 190, 676), (400 - sign * 110, 676), (400 + sign * 214, 300), (400 + sign * 150, 270)])
        paint = "".join(path(star_d(400 - sign * 140 + sign * k * 76, 640 - k * 84, 26), second) for k in range(5))
        d.solid(leg, darker(colour, 0.18) if sign < 0 else colour, paint, shade=12)
    for sign in (-1, 1):
        page = (f"M400 340C{400 + sign * 60} 290 {400 + sign * 140} 250 {400 + sign * 240} 236L{400 + sign * 226} 400"
                f"C{400 + sign * 150} 410 {400 + sign * 70} 440 400 486Z")
        text = "".join(line(f"M{400 + sign * 40} {356 + 17 * k - 6}L{400 + sign * 196} {290 + 17 * k}", "#8a7a5c", 4) for k in range(6))
        d.solid(page, "#f8f0dc", text, shade=8)


def puzzle(d, colour, second="#d9a441", light="#f0d9a8"):
    """A board of inlaid wood with its pieces."""
    d.shadow(400, FLOOR + 36, 240)
    paint = rect(190, 226, 420, 420, darker(colour, 0.25))
    for j in range(8):
        for i in range(8):
            paint += rect(204 + 49 * i, 240 + 49 * j, 49, 49, light if (i + j) % 2 else colour)
    paint += rect(204, 240, 392, 392, "none", stroke=second, stroke_width=6)
    d.solid(box_d(166, 202, 468, 468, 14), darker(colour, 0.15), paint + row("lozenges", 170, 630, 214, 24, 16, second)
            + row("lozenges", 170, 630, 658, 24, 16, second), shade=14)
    for x, y, tone in ((277, 386, "#f6ecd8"), (473, 484, "#3a2418"), (375, 582, "#f6ecd8")):
        d.solid(turned_d(x, [(y - 90, 12, 1), (y - 70, 18), (y - 48, 10), (y - 10, 22), (y + 4, 26, 1)]), tone, shade=6)


MOTIFS = {f.__name__: f for f in (soap, pot, glove, basket, stone, oud, darbuka, frame_drum, ney, qanun, cymbals,
                                  notebook, ink, pens, sheets, stand, puzzle)}

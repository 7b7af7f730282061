"""Rugs, cushions, towels, scarves, and what is sewn from leather."""

from .canvas import (FLOOR, box_d, circle, curve_d, darker, ellipse, lighter, line, lozenge_d, oval_d, path,
                     polygon_d, rect, ring_of, row, star_d)


def fringe(x0, x1, y, length, colour, step=9):
    return "".join(line(f"M{x} {y}v{length}", colour, 4) for x in range(int(x0), int(x1), step))


def rug(d, colour, second="#f3e6c8", third="#2f4f6f", design="medallion"):
    """A rug, hung on the wall."""
    x, y, w, h = 218, 150, 364, 500
    d.add(rect(x - 14, y + 18, w + 36, h, "#1b1020", opacity=0.14))
    d.add(fringe(x + 6, x + w, y - 22, 24, darker(second, 0.08)), fringe(x + 6, x + w, y + h - 2, 28, darker(second, 0.08)))
    d.add(rect(x - 40, y - 36, w + 80, 15, "#7a5230", 7), circle(x - 40, y - 29, 13, "#7a5230"),
          circle(x + w + 40, y - 29, 13, "#7a5230"))
    d.solid(box_d(x, y, w, h), colour, DESIGNS[design](x, y, w, h, colour, second, third), shade=10)


def _border(x, y, w, h, colour, second, third, wide=46):
    paint = rect(x, y, w, h, third) + rect(x + wide, y + wide, w - 2 * wide, h - 2 * wide, colour)
    for yy in (y + wide / 2, y + h - wide / 2):
        paint += row("lozenges", x + 4, x + w - 4, yy, 40, wide - 14, second, lighter(colour, 0.3))
    n = round((h - 2 * wide) / 42)
    for i in range(n):
        yy = y + wide + (h - 2 * wide) * (i + 0.5) / n
        for xx in (x + wide / 2, x + w - wide / 2):
            paint += path(lozenge_d(xx, yy, wide / 2 - 7, 17), lighter(colour, 0.3) if i % 2 else second)
    paint += rect(x + wide, y + wide, w - 2 * wide, h - 2 * wide, "none", stroke=second, stroke_width=6)
    return paint


def _medallion(x, y, w, h, colour, second, third):
    cx, cy = x + w / 2, y + h / 2
    paint = _border(x, y, w, h, colour, second, third)
    for sx in (-1, 1):
        for sy in (-1, 1):
            px, py = cx + sx * (w / 2 - 52), cy + sy * (h / 2 - 52)
            paint += path(polygon_d([(px, py), (px - sx * 92, py), (px - sx * 60, py - sy * 30),
                                     (px - sx * 30, py - sy * 60), (px, py - sy * 92)]), third)
            paint += circle(px - sx * 28, py - sy * 28, 11, second)
    paint += path(lozenge_d(cx, cy, 118, 176), second) + path(lozenge_d(cx, cy, 104, 156), third)
    paint += path(star_d(cx, cy, 84), second) + path(star_d(cx, cy, 66), colour)
    paint += path(star_d(cx, cy, 40, 22.5), second) + circle(cx, cy, 14, third)
    for sy in (-1, 1):
        paint += path(lozenge_d(cx, cy + sy * 124, 15, 24), second)
    return paint


def _diamonds(x, y, w, h, colour, second, third):
    """Dark lines on undyed wool, as the Beni Ourain weave them."""
    paint = ""
    for j in range(-1, 5):
        for i in range(-1, 4):
            px, py = x + 60 + i * 122, y + 62 + j * 125
            paint += path(lozenge_d(px, py, 61, 62.5), "none", stroke=second, stroke_width=8)
            if (i + j) % 2:
                paint += path(lozenge_d(px, py, 24, 26), third)
            else:
                paint += line(f"M{px - 18} {py}h36M{px} {py - 18}v36", second, 6)
    return paint


def _stripes(x, y, w, h, colour, second, third):
    paint, yy, turn = "", y, 0
    kinds = ("lozenges", None, "teeth", None, "stars", None)
    while yy < y + h:
        kind = kinds[turn % len(kinds)]
        if kind:
            paint += rect(x, yy, w, 62, (third, colour, second)[turn // 2 % 3])
            paint += row(kind, x, x + w, yy + 31, 46, 42, (second, second, third)[turn // 2 % 3], lighter(colour, 0.35))
            yy += 62
        else:
            paint += rect(x, yy, w, 10, second) + rect(x, yy + 10, w, 14, colour) + rect(x, yy + 24, w, 10, third)
            yy += 34
        turn += 1
    return paint


def _prayer(x, y, w, h, colour, second, third):
    cx = x + w / 2
    paint = _border(x, y, w, h, colour, second, third, 40)
    arch = (f"M{x + 66} {y + h - 60}V{y + 220}Q{x + 70} {y + 150} {cx} {y + 74}"
            f"Q{x + w - 70} {y + 150} {x + w - 66} {y + 220}V{y + h - 60}Z")
    paint += path(arch, second) + path(arch, third, transform=f"translate({cx * 0.07:.1f} {(y + h) * 0.05:.1f}) scale(.93)")
    paint += line(f"M{cx} {y + 100}v90", second, 6) + path(star_d(cx, y + 226, 40), second)
    paint += path(star_d(cx, y + 226, 20, 22.5), colour)
    for k in range(5):
        yy = y + h - 100 - 38 * k
        spread = 78 - 13 * k
        paint += line(f"M{cx} {yy + 18}Q{cx - spread / 2} {yy + 10} {cx - spread} {yy - 18}", second, 6)
        paint += line(f"M{cx} {yy + 18}Q{cx + spread / 2} {yy + 10} {cx + spread} {yy - 18}", second, 6)
        paint += circle(cx - spread, yy - 22, 10, lighter(colour, 0.3)) + circle(cx + spread, yy - 22, 10, lighter(colour, 0.3))
    paint += line(f"M{cx} {y + h - 70}v-180", second, 7)
    return paint


def _patches(x, y, w, h, colour, second, third):
    """Rags of every colour, knotted: a boucherouite."""
    tones = (colour, second, third, lighter(colour, 0.4), darker(third, 0.2), "#e0a23c", "#4f8f8a", "#c9637a")
    paint = ""
    for j in range(14):
        for i in range(9):
            px, py = x + i * 44 - (22 if j % 2 else 0), y + j * 38
            paint += path(lozenge_d(px + 22, py + 19, 30, 27), tones[(i * 5 + j * 3 + i * j) % 8])
    return paint


DESIGNS = {"medallion": _medallion, "diamonds": _diamonds, "stripes": _stripes, "prayer": _prayer,
           "patches": _patches}


def cushion(d, colour, second="#f3e6c8", third="#2f4f6f", design="stripes"):
    d.shadow(400, FLOOR + 34, 220)
    body = curve_d([(190, 250), (400, 268), (610, 250), (592, 450), (612, 652), (400, 634), (188, 652), (208, 450)], True)
    for x, y in ((186, 246), (614, 246), (186, 656), (614, 656)):
        d.add(line(f"M{x} {y}q{(x - 400) // 12} 18 {(x - 400) // 9} 44", second, 12), circle(x, y, 13, third))
    d.solid(body, colour, DESIGNS[design](160, 210, 480, 480, colour, second, third), shade=40)


def pouf(d, colour, second="#f3e6c8"):
    """A round leather seat, embroidered."""
    d.shadow(400, FLOOR + 40, 250)
    body = curve_d([(196, 450), (400, 400), (604, 450), (650, 550), (606, 650), (400, 684), (194, 650), (150, 550)], True)
    seams = "".join(line(f"M400 420Q{400 + k * 84} 520 {400 + k * 72} 700", darker(colour, 0.3), 5)
                    + line(f"M400 420Q{400 + k * 84 + 9} 520 {400 + k * 72 + 9} 700", lighter(colour, 0.35), 3,
                           stroke_dasharray="10 9") for k in (-3, -2, -1, 0, 1, 2, 3))
    seams += "".join(path(star_d(400 + k * 77, 572 - abs(k) * 4, 24), second) for k in (-2.5, -1.5, -.5, .5, 1.5, 2.5))
    d.solid(body, colour, seams, shade=48)
    top = ring_of(16, 400, 446, 130, lambda x, y, a: circle(x, 446 + (y - 446) * 0.3, 7, second))
    top += ellipse(400, 446, 172, 50, "none", stroke=second, stroke_width=5)
    top += path(star_d(400, 446, 84), second, transform="translate(0 312) scale(1 .3)")
    d.solid(oval_d(400, 446, 208, 62), lighter(colour, 0.12), top, shade=22)


def folded(d, colour, second="#f3e6c8", third=None, pieces=3):
    """Folded cloth, one piece on the other, the fringe of the top one showing."""
    third = third or darker(colour, 0.25)
    d.shadow(400, FLOOR + 36, 240)
    height = 96 if pieces == 3 else 128
    for i in range(pieces):
        y = 676 - height * (i + 1)
        x, w = 176 + 10 * i, 448 - 20 * i
        tone = (colour, second, third)[i % 3] if pieces > 1 else colour
        mark = (second, colour, second)[i % 3]
        paint = "".join(rect(x + w * k / 16, y - 10, w / 40, height + 20, mark) for k in (2, 2.7, 3.4, 12, 12.7, 13.4))
        paint += rect(x + w * 5.2 / 16, y - 10, w * 5.6 / 16, height + 20, mark, opacity=0.22)
        d.solid(box_d(x, y, w, height - 4, 34), tone, paint, shade=18)
        d.add(line(f"M{x + 40} {y + height / 2 - 2}H{x + w - 16}", darker(tone, 0.22), 4))
    top = 676 - height * pieces
    flap = polygon_d([(330, top), (512, top), (520, top + 150), (322, top + 150)])
    last = (colour, second, third)[(pieces - 1) % 3] if pieces > 1 else colour
    mark = (second, colour, second)[(pieces - 1) % 3]
    paint = rect(300, top + 96, 240, 12, mark) + rect(300, top + 118, 240, 12, mark)
    paint += row("lozenges", 322, 520, top + 60, 40, 46, mark)
    d.solid(flap, lighter(last, 0.1), paint, shade=10)
    d.add(fringe(328, 520, top + 150, 34, lighter(last, 0.1), 11))


def scarf(d, colour, second="#f3e6c8", third=None):
    """A long shawl over a wooden peg."""
    third = third or darker(colour, 0.3)
    d.add(line("M250 196H550", "#7a5230", 20), circle(250, 196, 17, "#7a5230"), circle(550, 196, 17, "#7a5230"))
    for d_path, tone, shade, x0, x1, foot in (
            ("M420 186C480 180 520 190 520 214C540 360 520 470 536 596H404C412 470 420 330 420 186Z",
             darker(colour, 0.12), 16, 404, 536, 596),
            ("M280 214C284 186 330 180 430 186C440 330 424 520 440 650H268C286 520 272 360 280 214Z",
             colour, 18, 268, 440, 650)):
        paint = "".join(line(f"M{x0 + k * (x1 - x0) / 5:.0f} 190Q{x0 + k * (x1 - x0) / 5 + 16:.0f} 420 "
                             f"{x0 + k * (x1 - x0) / 5 - 6:.0f} 700", darker(tone, 0.13), 5) for k in range(1, 5))
        for k, kind in ((62, "lozenges"), (132, "leaves"), (196, "dots")):
            paint += row(kind, x0 - 20, x1 + 20, foot - k, 42, 44, second if kind != "leaves" else third, third)
        paint += rect(x0 - 30, foot - 100, x1 - x0 + 60, 6, second) + rect(x0 - 30, foot - 26, x1 - x0 + 60, 8, second)
        paint += row("stars", x0 - 20, x1 + 20, 330, 56, 26, second) + row("stars", x0 - 48, x1 + 48, 390, 56, 26, second)
        d.solid(d_path, tone, paint, shade=shade)
        d.add(fringe(x0 + 5, x1, foot, 40, tone, 10))


def satchel(d, colour, second="#d9a441", flap=True):
    """A shoulder bag with a flap and a buckle."""
    d.shadow(400, FLOOR + 38, 220)
    d.add(line("M236 400C220 120 580 120 564 400", darker(colour, 0.22), 24))
    d.add(line("M236 396C222 126 578 126 564 396", lighter(colour, 0.2), 3, stroke_dasharray="11 9"))
    body = box_d(190, 370, 420, 306, 40)
    d.solid(body, darker(colour, 0.08), path(box_d(206, 386, 388, 274, 30), "none", stroke=lighter(colour, 0.35),
                                             stroke_width=4, stroke_dasharray="12 9"), shade=34)
    cover = "M184 400C184 366 210 350 240 350H560C590 350 616 366 616 400V490C600 560 480 584 400 584C320 584 200 560 184 490Z"
    paint = path("M200 404C200 380 220 366 246 366H554C580 366 600 380 600 404V486C584 546 476 568 400 568"
                 "C324 568 216 546 200 486Z", "none", stroke=lighter(colour, 0.4), stroke_width=4, stroke_dasharray="12 9")
    paint += path(star_d(400, 450, 62), darker(colour, 0.22)) + path(star_d(400, 450, 34, 22.5), lighter(colour, 0.18))
    if flap:
        d.solid(cover, colour, paint, shade=26)
        d.solid(box_d(376, 530, 48, 104, 12), darker(colour, 0.22), shade=8)
        d.add(rect(362, 556, 76, 52, "none", 8, stroke=second, stroke_width=10), line("M400 582v28", second, 8))
    else:
        d.add(path(star_d(400, 520, 84), darker(colour, 0.25)), path(star_d(400, 520, 46, 22.5), lighter(colour, 0.15)))


def tote(d, colour, second="#f3e6c8", woven=False):
    """An open bag with two handles; woven of palm with leather handles, or all leather."""
    d.shadow(400, FLOOR + 38, 220)
    strap = "#7a4a2c" if woven else darker(colour, 0.28)
    d.add(line("M300 400C290 170 510 170 500 400", darker(strap, 0.2), 22))
    body = "M176 384H624C618 480 600 600 582 676H218C200 600 182 480 176 384Z"
    paint = ""
    if woven:
        for j in range(19):
            for i in range(24):
                x, y = 168 + 20 * i, 384 + 16 * j
                paint += path(f"M{x} {y}l10 8l-10 8l-10-8Z", darker(colour, 0.16 if (i + j) % 2 else 0.04))
        paint += rect(160, 470, 480, 74, second) + row("lozenges", 176, 624, 507, 56, 60, "#b5452f", "#2f6f6b")
    else:
        paint += line("M192 404H608", lighter(colour, 0.4), 4, stroke_dasharray="12 9")
        paint += row("arches", 206, 594, 600, 64, 96, darker(colour, 0.2))
        paint += row("dots", 200, 600, 524, 34, 14, second)
    d.solid(body, colour, paint, shade=34)
    d.solid(box_d(166, 368, 468, 30, 15), lighter(colour, 0.2) if woven else darker(colour, 0.1), shade=10)
    d.add(line("M280 420C272 200 528 200 520 420", strap, 22),
          line("M281 414C276 206 524 206 519 414", lighter(strap, 0.35), 3, stroke_dasharray="11 9"))
    for x in (280, 520):
        d.solid(box_d(x - 22, 396, 44, 84, 16), strap, circle(x, 456, 7, "#e3b765"), shade=6)


def slippers(d, colour, second="#d9a441"):
    """A pair of babouches, from above."""
    d.shadow(400, FLOOR + 30, 240)
    for x, turn, mirror in ((280, -9, False), (520, 9, True)):
        sole = "M-88 150C-100 250 80 250 86 150C100 40 110 -60 60 -160C36 -214 -10 -240 -22 -262C-40 -230 -70 -190 -90 -120C-112 -40 -98 60 -88 150Z"
        inside = "M-66 140C-76 220 62 220 66 140C76 60 82 10 70 -20C30 20 -40 20 -84 -20C-88 40 -76 90 -66 140Z"
        toe = "M70 -30C98 -90 80 -140 56 -168C36 -214 -8 -240 -22 -262C-40 -230 -70 -190 -90 -120C-98 -86 -96 -50 -88 -14C-40 34 40 24 70 -30Z"
        paint = path(star_d(-8, -110, 44), second) + path(star_d(-8, -110, 22, 22.5), colour)
        paint += "".join(circle(-8 + k * 22, -26 - abs(k) * 7, 6, second) for k in (-3, -2, -1, 0, 1, 2, 3))
        part = d.part()
        part.solid(sole, darker(colour, 0.3), path(inside, "#e8cfa6") + line(
            "M-58 138C-66 204 56 204 60 138", "#b98f5e", 3, stroke_dasharray="8 7"), shade=12)
        part.solid(toe, colour, paint, shade=20)
        d.add_moved(part, x, 440, turn, mirror=mirror)


def wallet(d, colour, second="#d9a441"):
    d.shadow(400, FLOOR + 34, 230)
    d.solid(polygon_d([(190, 400), (590, 330), (640, 600), (240, 668)]), darker(colour, 0.28), shade=16)
    for k, tone in ((0, "#e9dcc0"), (26, "#c9dfe0")):
        d.add(path(polygon_d([(250 + k, 360 + k), (560 + k, 306 + k), (570 + k, 380 + k), (262 + k, 436 + k)]), tone))
    front = polygon_d([(176, 430), (580, 380), (612, 618), (208, 676)])
    paint = path(polygon_d([(192, 444), (568, 397), (597, 606), (221, 660)]), "none", stroke=lighter(colour, 0.4),
                 stroke_width=4, stroke_dasharray="12 9")
    paint += path(star_d(396, 530, 88), darker(colour, 0.2)) + path(star_d(396, 530, 50, 22.5), colour)
    paint += path(star_d(396, 530, 28), second)
    d.solid(front, colour, paint, shade=22)


def belt(d, colour, second="#d9a441"):
    d.shadow(400, FLOOR + 34, 220)
    for r, tone in ((210, colour), (164, darker(colour, 0.12)), (118, colour)):
        d.add(ellipse(400, 470, r, r * 0.9, "none", stroke=darker(tone, 0.18), stroke_width=44))
        d.add(ellipse(396, 466, r, r * 0.9, "none", stroke=tone, stroke_width=36))
        d.add(ellipse(396, 466, r + 11, (r + 11) * 0.9, "none", stroke=lighter(colour, 0.4), stroke_width=3,
                      stroke_dasharray="11 9"))
    d.solid(polygon_d([(190, 500), (150, 620), (196, 676), (236, 560)]), colour, shade=8)
    d.add(rect(548, 380, 110, 130, "none", 18, stroke=second, stroke_width=20), line("M556 446H648", second, 14))


def box(d, colour, second="#d9a441", inlay="stars"):
    """A small box with a lid: inlaid wood, or tooled leather."""
    d.shadow(400, FLOOR + 36, 230)
    lid = polygon_d([(176, 470), (250, 356), (550, 356), (624, 470)])
    d.solid(lid, lighter(colour, 0.14), path(star_d(400, 700, 92), second, transform="scale(1 .59)")
            + path(star_d(400, 700, 54, 22.5), colour, transform="scale(1 .59)")
            + line("M214 456L268 372H532L586 456Z", second, 7), shade=14)
    front = box_d(176, 470, 448, 206, 10)
    paint = row(inlay, 196, 604, 600, 68, 62, second, lighter(second, 0.45))
    paint += rect(176, 536, 448, 6, second) + rect(176, 656, 448, 6, second) + rect(176, 530, 448, 3, darker(colour, 0.3))
    paint += "".join(path(lozenge_d(x, 503, 11, 17), second) for x in range(200, 620, 40))
    d.solid(front, colour, paint, shade=22)
    d.solid(box_d(376, 496, 48, 66, 12), second, circle(400, 526, 8, darker(second, 0.5))
            + rect(396, 528, 8, 20, darker(second, 0.5)), shade=6)


MOTIFS = {f.__name__: f for f in (rug, cushion, pouf, folded, scarf, satchel, tote, slippers, wallet, belt, box)}

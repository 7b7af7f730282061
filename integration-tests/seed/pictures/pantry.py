"""What stands in the pantry: bowls of spice, tins, jars, pouches, bottles, sweets."""

from .canvas import (FLOOR, box_d, circle, curve_d, darker, ellipse, lighter, line, lozenge_d, mix, oval_d, path,
                     polygon_d, rect, ring_of, row, star_d, turned_d)


def grains(places, colour, r=5):
    return "".join(circle(x, y, r, colour) for x, y in places)


def scatter(count, x0, x1, y0, y1, seed=7):
    """Places that look strewn, the same ones each time."""
    places, state = [], seed
    for _ in range(count):
        state = (state * 1103515245 + 12345) % 2147483648
        x = x0 + (state >> 8) % 1000 * (x1 - x0) / 1000
        state = (state * 1103515245 + 12345) % 2147483648
        places.append((x, y0 + (state >> 8) % 1000 * (y1 - y0) / 1000))
    return places


def mound(d, colour, bowl="#2f6f8f", band="dots", whole=None):
    """A cone of ground spice over a painted bowl; `whole` strews seeds of that colour over it."""
    d.shadow(400, FLOOR + 34, 210)
    cone = "M212 470C290 440 350 250 400 238C450 250 510 440 588 470Z"
    flecks = grains(scatter(70, 230, 570, 260, 470, 3), darker(colour, 0.22), 3)
    flecks += grains(scatter(60, 230, 570, 260, 470, 11), lighter(colour, 0.3), 3)
    if whole:
        flecks = "".join(ellipse(x, y, 11, 6, darker(whole, 0.28) if i % 3 else lighter(whole, 0.2),
                                 transform=f"rotate({(i * 47) % 180} {x:.0f} {y:.0f})")
                         for i, (x, y) in enumerate(scatter(150, 215, 585, 250, 470, 5)))
    d.solid(cone, colour, flecks, shade=46)
    body = turned_d(400, [(462, 200, 1), (540, 178), (610, 116), (640, 92, 1), (672, 100, 1)])
    paint = rect(180, 500, 440, 50, lighter(bowl, 0.75)) + row(band, 190, 610, 525, 42, 30, bowl, darker(bowl))
    paint += rect(180, 575, 440, 8, lighter(bowl, 0.6))
    d.solid(body, bowl, paint, shade=36)
    d.solid(oval_d(400, 462, 206, 17), lighter(bowl, 0.5), shade=14)
    d.add(path("M206 462a194 11 0 0 1 388 0Z", darker(colour, 0.1)))


def jar(d, colour, lid="#a8763e", label="stars", texture="powder"):
    """A glass jar filled with something, under a wooden lid."""
    d.shadow(400, FLOOR + 34, 170)
    glass = box_d(255, 250, 290, 420, 46)
    inside = box_d(272, 330, 256, 326, 34)
    if texture == "whole":
        fill = "".join(ellipse(x, y, 20, 12, lighter(colour, 0.18) if i % 2 else darker(colour, 0.16),
                               transform=f"rotate({(i * 53) % 180} {x:.0f} {y:.0f})")
                       for i, (x, y) in enumerate(scatter(170, 262, 538, 335, 655, 9)))
    elif texture == "liquid":
        fill = path("M262 392q70-26 140 0t146 0v-70H262Z", lighter(colour, 0.35))
    else:
        fill = grains(scatter(90, 265, 535, 340, 650, 5), lighter(colour, 0.22), 4)
        fill += grains(scatter(90, 265, 535, 340, 650, 21), darker(colour, 0.18), 4)
    d.add(path(glass, "#ffffff", opacity=0.55))
    d.solid(inside, colour, fill, shade=34)
    d.add(path(glass, "none", stroke="#ffffff", stroke_width=7, opacity=0.8))
    d.add(rect(282, 290, 22, 330, "#ffffff", 11, opacity=0.5))
    paper = path(box_d(312, 440, 176, 136, 12), "#fbf3df")
    paper += path(box_d(322, 450, 156, 116, 8), "none", stroke=darker(colour, 0.1), stroke_width=4)
    if label == "stars":
        paper += path(star_d(400, 508, 42), colour) + path(star_d(400, 508, 20, 22.5), "#fbf3df")
    else:
        paper += row(label, 334, 466, 508, 34, 44, colour, darker(colour))
    d.add(paper)
    d.solid(box_d(262, 196, 276, 74, 18), lid, rect(262, 236, 276, 7, darker(lid, 0.25)), shade=26)
    d.solid(oval_d(400, 190, 26, 22), darker(lid, 0.1), shade=10)


def tin(d, colour, second="#f3d58a", ornament="stars", tall=False):
    """A printed tin with a domed lid, as tea and ground coffee are sold in."""
    top = 280 if tall else 330
    d.shadow(400, FLOOR + 34, 180)
    body = box_d(236, top, 328, 670 - top, 22)
    middle = (top + 670) / 2 + 12
    paint = rect(236, top + 26, 328, 46, second) + row("teeth", 236, 564, top + 49, 30, 34, darker(colour, 0.1))
    paint += rect(236, 598, 328, 46, second) + row("teeth", 236, 564, 621, 30, 34, darker(colour, 0.1))
    paint += circle(400, middle, 96, second) + circle(400, middle, 84, colour)
    if ornament == "stars":
        paint += path(star_d(400, middle, 72), second) + path(star_d(400, middle, 40, 22.5), colour)
        paint += circle(400, middle, 15, second)
    elif ornament == "leaf":
        leaf = (f"M400 {middle + 64:.0f}C330 {middle + 20:.0f} 340 {middle - 50:.0f} 400 {middle - 70:.0f}"
                f"C460 {middle - 50:.0f} 470 {middle + 20:.0f} 400 {middle + 64:.0f}Z")
        paint += path(leaf, second) + line(f"M400 {middle + 74:.0f}V{middle - 46:.0f}", colour, 6)
        for k in (-24, 4, 32):
            paint += line(f"M366 {middle + k - 14:.0f}L400 {middle + k + 8:.0f}L434 {middle + k - 14:.0f}", colour, 5)
    elif ornament == "flower":
        paint += ring_of(8, 400, middle, 44, lambda x, y, a: ellipse(
            x, y, 17, 30, second, transform=f"rotate({a:.0f} {x:.1f} {y:.1f})"))
        paint += circle(400, middle, 20, lighter(colour, 0.3))
    elif ornament == "bean":
        for x, turn in ((368, -18), (432, 18)):
            paint += ellipse(x, middle, 30, 50, second, transform=f"rotate({turn} {x} {middle:.0f})")
            paint += line(f"M{x} {middle - 40:.0f}q-16 40 0 80", colour, 7,
                          transform=f"rotate({turn} {x} {middle:.0f})")
    d.solid(body, colour, paint, shade=40)
    lid = f"M226 {top + 12}V{top - 14}C240 {top - 76} 330 {top - 100} 400 {top - 100}" \
          f"C470 {top - 100} 560 {top - 76} 574 {top - 14}V{top + 12}Z"
    d.solid(lid, darker(colour, 0.12), rect(226, top - 16, 348, 28, second), shade=34)
    d.solid(oval_d(400, top - 106, 24, 20), second, shade=9)


def sack(d, colour, cloth="#d2b48c", mark="#6b4a2b"):
    """An open jute sack, filled to the brim."""
    d.shadow(400, FLOOR + 36, 220)
    heap = "M238 330C270 236 350 206 400 206C450 206 530 236 562 330C520 372 280 372 238 330Z"
    beans = ""
    for i, (x, y) in enumerate(scatter(210, 225, 575, 205, 360, 4)):
        tone = (lighter(colour, 0.2), colour, darker(colour, 0.25))[i % 3]
        turn = (i * 61) % 180
        beans += ellipse(x, y, 18, 12, tone, transform=f"rotate({turn} {x:.0f} {y:.0f})")
        beans += line(f"M{x - 12:.0f} {y:.0f}q12 -6 24 0", darker(colour, 0.5), 2.5,
                      transform=f"rotate({turn} {x:.0f} {y:.0f})")
    d.solid(heap, darker(colour, 0.3), beans, shade=34, light=False)
    body = "M214 322C236 352 564 352 586 322C612 420 636 560 604 662C540 690 260 690 196 662C164 560 188 420 214 322Z"
    weave = "".join(line(f"M160 {y}Q400 {y + 34} 640 {y}", darker(cloth, 0.14), 2.5) for y in range(350, 690, 15))
    weave += "".join(line(f"M{x} 320V700", darker(cloth, 0.1), 2) for x in range(175, 640, 15))
    weave += path(star_d(400, 520, 84), mark, opacity=0.85) + path(star_d(400, 520, 46, 22.5), cloth)
    d.solid(body, cloth, weave, shade=42)
    rim = "M206 316C236 358 564 358 594 316C606 330 602 356 590 366C540 394 260 394 210 366C198 356 194 330 206 316Z"
    d.solid(rim, lighter(cloth, 0.25), "".join(
        line(f"M{x} 310v90", darker(cloth, 0.06), 3) for x in range(200, 610, 14)), shade=16)


def pouch(d, colour, band="#f6e7c4", ornament="lozenges"):
    """A small cloth bag, tied with a string."""
    d.shadow(400, FLOOR + 36, 190)
    body = ("M330 300C250 380 190 500 214 610C226 668 300 676 400 676C500 676 574 668 586 610"
            "C610 500 550 380 470 300Z")
    paint = rect(180, 470, 440, 92, band) + row(ornament, 190, 610, 516, 52, 62, colour, darker(colour, 0.3))
    paint += rect(180, 448, 440, 9, band) + rect(180, 575, 440, 9, band)
    d.solid(body, colour, paint, shade=44)
    ruffle = ("M322 300C300 250 280 214 262 190C300 204 326 196 340 180C360 200 384 200 400 182C416 200 440 200 460 180"
              "C474 196 500 204 538 190C520 214 500 250 478 300Z")
    folds = "".join(line(f"M{400 + k * 11} 304Q{400 + k * 20} 250 {400 + k * 30} 190", darker(colour, 0.22), 5)
                    for k in (-3, -1, 1, 3))
    d.solid(ruffle, lighter(colour, 0.1), folds, shade=20)
    d.solid(box_d(312, 286, 176, 28, 14), band, shade=10)
    d.add(line("M380 306C350 360 330 380 318 420M420 306C440 350 470 380 474 414", band, 9))
    d.add(circle(317, 426, 13, band), circle(475, 420, 13, band))


def bottle(d, colour, cap="#c9973b", label="#fbf3df", ornament="flower", slim=False):
    """A bottle of oil, syrup or flower water."""
    d.shadow(400, FLOOR + 34, 130)
    w = 84 if slim else 116
    body = turned_d(400, [(196, 36, 1), (286, 38), (350, w * 0.8), (410, w), (520, w), (630, w), (668, w - 16, 1)])
    glass = path("M200 384h400v400H200Z", lighter(colour, 0.12))
    glass += rect(400 - w + 16, 380, 15, 250, "#ffffff", 8, opacity=0.55)
    d.solid(body, mix(colour, "#ffffff", 0.22), glass, shade=28)
    paper = rect(400 - w + 18, 440, 2 * w - 36, 170, label, 10)
    paper += rect(400 - w + 27, 449, 2 * w - 54, 152, "none", 7, stroke=darker(colour, 0.25), stroke_width=3)
    if ornament == "flower":
        paper += ring_of(6, 400, 522, 26, lambda x, y, a: ellipse(
            x, y, 13, 22, colour, transform=f"rotate({a:.0f} {x:.1f} {y:.1f})"))
        paper += circle(400, 522, 13, cap)
    elif ornament == "drop":
        paper += path("M400 470C436 520 446 540 446 556A46 40 0 0 1 354 556C354 540 364 520 400 470Z", colour)
    elif ornament == "leaf":
        paper += path("M400 580C346 550 356 490 400 466C444 490 454 550 400 580Z", colour)
        paper += line("M400 586V490", label, 5)
    else:
        paper += path(star_d(400, 524, 50), colour) + path(star_d(400, 524, 24, 22.5), label)
    d.add(paper)
    d.solid(box_d(356, 150, 88, 56, 12), cap, rect(356, 176, 88, 6, darker(cap, 0.25)), shade=16)


def sweets(d, colour, second="#c8d8a0", box="#7d2f46", shape="cubes"):
    """An open box, filled in rows."""
    d.shadow(400, FLOOR + 34, 250)
    lid = polygon_d([(178, 470), (232, 250), (568, 250), (622, 470)])
    inside = path(star_d(400, 362, 74), "#f3d58a") + path(star_d(400, 362, 38, 22.5), box)
    d.solid(lid, lighter(box, 0.1), inside + line(lid, "#f3d58a", 9), shade=22)
    d.add(path(polygon_d([(150, 540), (210, 446), (590, 446), (650, 540)]), "#fdf4e3"))
    for r, y in enumerate((462, 492, 524)):
        n = 6
        width = 52 + 4 * r
        for i in range(n):
            x = 400 + (i - (n - 1) / 2) * (58 + 5 * r)
            tone = second if (i + r) % 2 else colour
            piece(d, shape, x, y, width, tone, second)
    front = polygon_d([(146, 536), (654, 536), (630, 672), (170, 672)])
    paint = row("arches", 150, 650, 606, 56, 84, "#f3d58a") + rect(140, 536, 520, 10, "#f3d58a")
    d.solid(front, box, paint, shade=26)


def piece(d, shape, x, y, width, tone, second):
    h = width / 2
    if shape == "cubes":
        d.solid(box_d(x - h, y - h * 0.8, width, width * 0.86, 10), tone, "".join(
            circle(x + dx * h, y + dy * h, 3, "#ffffff", opacity=0.8)
            for dx, dy in ((-.5, -.4), (.3, -.1), (-.1, .4), (.55, .45))), shade=10)
    elif shape == "lozenges":
        d.solid(lozenge_d(x, y, h, h * 0.74), tone, "".join(
            line(f"M{x - h:.0f} {y + k:.0f}h{width:.0f}", darker(tone, 0.18), 2) for k in (-10, 0, 10))
            + circle(x, y, 7, "#8aa84f"), shade=8)
    elif shape == "dates":
        d.solid(oval_d(x, y, h * 0.72, h * 0.95), tone,
                line(f"M{x:.0f} {y - h * .7:.0f}q-8 {h * .7:.0f} 0 {h * 1.4:.0f}", lighter(tone, 0.3), 3), shade=9)
    elif shape == "balls":
        d.solid(oval_d(x, y, h * 0.86, h * 0.8), tone, "".join(
            circle(x + dx * h, y + dy * h, 2.6, "#fff4d8") for dx, dy in
            ((-.5, -.3), (.2, -.5), (.4, .1), (-.2, .2), (0, -.1), (.1, .5), (-.5, .25))), shade=10)
    elif shape == "horns":
        d.solid(f"M{x - h:.1f} {y + h * .3:.1f}Q{x:.1f} {y - h * 1.5:.1f} {x + h:.1f} {y + h * .3:.1f}"
                f"Q{x:.1f} {y - h * .1:.1f} {x - h:.1f} {y + h * .3:.1f}Z", tone, shade=7)
    else:
        raise ValueError(f"no sweet is shaped like '{shape}'")


def slab(d, colour, second="#ffffff", wrap="#e7d9b8"):
    """A bar cut open at one end: halva, nougat."""
    d.shadow(400, FLOOR + 30, 260)
    flecks = "".join(ellipse(x, y, 13, 9, second, transform=f"rotate({(i * 37) % 180} {x:.0f} {y:.0f})")
                     for i, (x, y) in enumerate(scatter(34, 150, 650, 400, 660, 13)))
    d.solid(polygon_d([(150, 500), (240, 420), (650, 420), (560, 500)]), lighter(colour, 0.25), flecks, shade=10)
    d.solid(polygon_d([(560, 500), (650, 420), (650, 580), (560, 664)]), darker(colour, 0.16), flecks, shade=8,
            light=False)
    d.solid(box_d(150, 498, 412, 168, 8), colour, flecks, shade=12)
    paper = path(polygon_d([(130, 500), (226, 412), (430, 412), (338, 500)]), lighter(wrap, 0.3))
    paper += path(polygon_d([(130, 500), (338, 500), (322, 530), (342, 560), (320, 594), (340, 630), (326, 672),
                             (130, 672)]), wrap)
    paper += row("stars", 146, 310, 590, 54, 44, "#b8862f") + rect(130, 520, 200, 7, "#b8862f")
    paper += rect(130, 650, 198, 7, "#b8862f")
    d.add(paper)


def comb(d, colour, dish="#f5efe2"):
    """Honeycomb on a dish, with a dipper."""
    d.shadow(400, FLOOR + 30, 250)
    d.solid(turned_d(400, [(604, 250, 1), (640, 210), (668, 120, 1)]), dish, row(
        "waves", 150, 650, 628, 40, 12, "#7aa0b8"), shade=26)
    block = polygon_d([(214, 600), (250, 380), (560, 360), (590, 600)])
    cells = ""
    for j in range(7):
        for i in range(9):
            x, y = 210 + 48 * i + (24 if j % 2 else 0), 370 + 41 * j
            hexagon = [(x + 22 * a, y + 24 * b) for a, b in ((0, -1), (1, -.5), (1, .5), (0, 1), (-1, .5), (-1, -.5))]
            cells += path(polygon_d(hexagon), darker(colour, 0.3) if (i + j) % 4 else lighter(colour, 0.4))
    d.solid(block, colour, cells, shade=26)
    drip = curve_d([(300, 590), (290, 620), (320, 634), (352, 622), (400, 640), (452, 622), (480, 600)], True)
    d.solid(drip, lighter(colour, 0.15), shade=8)
    d.add(line("M566 190L452 392", "#9a6a3a", 16))
    d.solid(oval_d(440, 412, 36, 42), "#b9824a", "".join(
        line(f"M400 {y}q40 14 80 0", "#80552c", 6) for y in range(384, 450, 14)), shade=12)


MOTIFS = {f.__name__: f for f in (mound, jar, tin, sack, pouch, bottle, sweets, slab, comb)}

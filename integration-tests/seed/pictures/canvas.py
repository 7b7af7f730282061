"""Drawing: SVG shapes, flat shading, ornament, and the niche in which every product stands.

Everything is a string of SVG in a square of 800 by 800. The same arguments give the same bytes: no clock, no chance.
"""

import colorsys
import itertools
import math

SIZE = 800
FLOOR = 640  # where things stand


# Colours.

def _channels(colour):
    return [int(colour[i:i + 2], 16) for i in (1, 3, 5)]


def mix(colour, other, share):
    """`colour` with `share` (0 to 1) of `other` in it."""
    pairs = zip(_channels(colour), _channels(other))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def darker(colour, share=0.25):
    return mix(colour, "#1b1020", share)


def lighter(colour, share=0.25):
    return mix(colour, "#fff8ec", share)


def turned(colour, degrees):
    """The colour a little further round the wheel."""
    h, l, s = colorsys.rgb_to_hls(*(c / 255 for c in _channels(colour)))
    return "#" + "".join(f"{round(c * 255):02x}" for c in colorsys.hls_to_rgb((h + degrees / 360) % 1, l, s))


# Shapes.

def number(value):
    return f"{value:.1f}".rstrip("0").rstrip(".") if value % 1 else str(int(value))


def points(pairs):
    return " ".join(f"{number(x)},{number(y)}" for x, y in pairs)


def _tag(name, attributes):
    words = []
    for key, value in attributes.items():
        if value is None:
            continue
        key = key.rstrip("_").replace("_", "-")
        words.append(f'{key}="{number(value) if isinstance(value, (int, float)) else value}"')
    return f"<{name} {' '.join(words)}/>"


def path(d, fill, **more):
    return _tag("path", {"d": d, "fill": fill, **more})


def line(d, stroke, width, **more):
    return _tag("path", {"d": d, "fill": "none", "stroke": stroke, "stroke_width": width,
                         "stroke_linecap": "round", "stroke_linejoin": "round", **more})


def circle(x, y, r, fill, **more):
    return _tag("circle", {"cx": x, "cy": y, "r": r, "fill": fill, **more})


def ellipse(x, y, rx, ry, fill, **more):
    return _tag("ellipse", {"cx": x, "cy": y, "rx": rx, "ry": ry, "fill": fill, **more})


def rect(x, y, width, height, fill, radius=0, **more):
    return _tag("rect", {"x": x, "y": y, "width": width, "height": height, "fill": fill,
                         "rx": radius or None, **more})


def group(content, **attributes):
    words = " ".join(f'{k.rstrip("_").replace("_", "-")}="{v}"' for k, v in attributes.items())
    return f"<g {words}>{content}</g>"


def moved(content, x=0, y=0, turn=0, scale=1, mirror=False):
    steps = f"translate({number(x)} {number(y)})"
    if turn:
        steps += f" rotate({number(turn)})"
    if scale != 1:
        steps += f" scale({scale:g})"
    if mirror:
        steps += " scale(-1 1)"
    return group(content, transform=steps)


def box_d(x, y, width, height, r=0):
    """The outline of a rectangle with round corners, as a path."""
    if not r:
        return f"M{number(x)} {number(y)}h{number(width)}v{number(height)}h{number(-width)}Z"
    w, h = number(width - 2 * r), number(height - 2 * r)
    r = number(r)
    return (f"M{number(x + float(r))} {number(y)}h{w}a{r} {r} 0 0 1 {r} {r}v{h}a{r} {r} 0 0 1 -{r} {r}"
            f"h-{w}a{r} {r} 0 0 1 -{r} -{r}v-{h}a{r} {r} 0 0 1 {r} -{r}Z")


def oval_d(x, y, rx, ry):
    return (f"M{number(x - rx)} {number(y)}a{number(rx)} {number(ry)} 0 1 1 {number(2 * rx)} 0"
            f"a{number(rx)} {number(ry)} 0 1 1 {number(-2 * rx)} 0Z")


def polygon_d(pairs):
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in pairs) + "Z"


def curve_d(pairs, closed=False):
    """A smooth line through the points (Catmull-Rom)."""
    n = len(pairs)

    def at(i):
        return pairs[i % n] if closed else pairs[min(max(i, 0), n - 1)]

    d = f"M{number(pairs[0][0])} {number(pairs[0][1])}"
    for i in range(n if closed else n - 1):
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = (at(i + k) for k in (-1, 0, 1, 2))
        ends = (x1 + (x2 - x0) / 6, y1 + (y2 - y0) / 6, x2 - (x3 - x1) / 6, y2 - (y3 - y1) / 6, x2, y2)
        d += "C" + " ".join(number(v) for v in ends)
    return d + ("Z" if closed else "")


def turned_d(x, profile):
    """The outline of something made on a wheel or a lathe: `profile` is [(y, half width), ...] from top to bottom.

    The line is smooth through the points; a third element, whatever it is, makes a corner there.
    """
    sides = []
    for sign in (1, -1):
        run, runs = [], []
        for point in profile:
            run.append((x + sign * point[1], point[0]))
            if len(point) > 2:
                runs.append(run)
                run = [run[-1]]
        runs.append(run)
        sides.append([r for r in runs if len(r) > 1])
    right = [curve_d(r) for r in sides[0]]
    left = [curve_d(list(reversed(r))) for r in reversed(sides[1])]
    d = right[0]
    for piece in right[1:] + left:
        d += "L" + piece[1:]
    return d + "Z"


# Shading: one light from the upper left, two tones, no gradients but in the background.

class Drawing:
    """Collects the parts of one picture; knows which ids are taken."""

    def __init__(self, ids=None):
        self.parts = []
        self._ids = ids or itertools.count(1)

    def add(self, *parts):
        self.parts.extend(parts)

    def part(self):
        """A piece to be drawn apart and then placed with add_moved()."""
        return Drawing(self._ids)

    def add_moved(self, part, x, y, turn=0, scale=1, mirror=False):
        self.add(moved("".join(part.parts), x, y, turn, scale, mirror))

    def clipped(self, d, content, rule=None):
        name = f"c{next(self._ids)}"
        clip = _tag("path", {"d": d, "clip_rule": rule})
        return f'<clipPath id="{name}">{clip}</clipPath>' + group(content, clip_path=f"url(#{name})")

    def solid(self, d, colour, details="", shade=24, light=True):
        """A body: the colour, what is painted on it, the shade along its right edge and the light along its left."""
        outside = "M-900-900H1700V1700H-900Z"
        content = path(d, colour) + details
        content += path(outside + d, "#1b1020", fill_rule="evenodd", opacity=0.17,
                        transform=f"translate({-shade} {-shade // 3})")
        if light:
            content += path(outside + d, "#fff8ec", fill_rule="evenodd", opacity=0.28,
                            transform=f"translate({max(shade // 3, 5)} 3)")
        self.add(self.clipped(d, content))

    def shadow(self, x, y, rx, ry=None):
        self.add(ellipse(x, y, rx, ry or max(rx * 0.09, 10), "#1b1020", opacity=0.22))

    def svg(self, title):
        body = "\n".join(self.parts)
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" role="img">\n'
                f"<title>{title}</title>\n{body}\n</svg>\n")


# Ornament.

def star_d(x, y, r, turn=0.0, tips=8, inner=None):
    """A star; with eight tips the khatim, two squares across each other."""
    inner = r * (inner if inner is not None else 0.765)
    corners = []
    for i in range(2 * tips):
        angle = math.radians(turn) + math.pi * i / tips - math.pi / 2
        length = inner if i % 2 else r
        corners.append((x + length * math.cos(angle), y + length * math.sin(angle)))
    return polygon_d(corners)


def ring_of(count, x, y, radius, draw):
    """`draw(px, py, degrees)` at `count` places on a circle."""
    parts = []
    for i in range(count):
        degrees = 360 * i / count
        angle = math.radians(degrees - 90)
        parts.append(draw(x + radius * math.cos(angle), y + radius * math.sin(angle), degrees))
    return "".join(parts)


def lozenge_d(x, y, rx, ry):
    return polygon_d([(x, y - ry), (x + rx, y), (x, y + ry), (x - rx, y)])


def row(kind, x0, x1, y, step, height, fill, second=None):
    """A band of ornament from x0 to x1 about the height y."""
    parts = []
    n = max(round((x1 - x0) / step), 1)
    step = (x1 - x0) / n
    h = height / 2
    for i in range(n):
        x = x0 + step * (i + 0.5)
        colour = second if second and i % 2 else fill
        if kind == "dots":
            parts.append(circle(x, y, h * 0.7, colour))
        elif kind == "lozenges":
            parts.append(path(lozenge_d(x, y, step * 0.42, h), colour))
        elif kind == "teeth":
            parts.append(path(polygon_d([(x - step / 2, y + h), (x, y - h), (x + step / 2, y + h)]), colour))
        elif kind == "stars":
            parts.append(path(star_d(x, y, h), colour))
        elif kind == "waves":
            parts.append(line(f"M{number(x - step / 2)} {number(y)}q{number(step / 4)} {number(-height)} "
                              f"{number(step / 2)} 0t{number(step / 2)} 0", colour, max(h * 0.5, 3)))
        elif kind == "leaves":
            for sign in (1, -1):
                parts.append(path(f"M{number(x - step * 0.4)} {number(y)}q{number(step * 0.3)} "
                                  f"{number(-sign * height)} {number(step * 0.8)} {number(-sign * h * 0.9)}"
                                  f"q{number(-step * 0.3)} {number(sign * h)} {number(-step * 0.8)} "
                                  f"{number(sign * h * 0.9)}Z", colour))
        elif kind == "arches":
            w = step * 0.38
            parts.append(path(f"M{number(x - w)} {number(y + h)}v{number(-h * 0.8)}q0 {number(-h)} {number(w)} "
                              f"{number(-h * 1.2)}q{number(w)} {number(h * 0.2)} {number(w)} {number(h * 1.2)}"
                              f"v{number(h * 0.8)}Z", colour))
        else:
            raise ValueError(f"no ornament is called '{kind}'")
    return "".join(parts)


# The niche.

ARCHES = {
    # a pointed arch, a horseshoe, a round one, and one with a lobed edge; each from foot to foot
    "pointed": "M150 800V420C150 260 290 170 400 90C510 170 650 260 650 420V800Z",
    "horseshoe": "M170 800V470C120 380 130 130 400 120C670 130 680 380 630 470V800Z",
    "round": "M150 800V370C150 220 270 110 400 110C530 110 650 220 650 370V800Z",
    "lobed": "M160 800V440C110 420 110 350 165 335C140 275 190 225 245 240C250 180 310 150 352 178"
             "C362 140 385 120 400 96C415 120 438 140 448 178C490 150 550 180 555 240C610 225 660 275 635 335"
             "C690 350 690 420 640 440V800Z",
}

# For each top category: wall, niche, floor, arch.
ROOMS = {
    "spices": ("#b9482f", "#f4d6a8", "#8a3423", "pointed"),
    "tea-coffee": ("#2b6460", "#dcebdd", "#1f4a48", "horseshoe"),
    "sweets": ("#c9707f", "#fbe6dc", "#a04f63", "lobed"),
    "tableware": ("#23588a", "#e4eef2", "#1a4168", "round"),
    "metalwork": ("#4a3b57", "#f2dcae", "#352a41", "pointed"),
    "lighting": ("#1c2447", "#333f7a", "#12183a", "horseshoe"),
    "textiles": ("#6f9275", "#f4ecd9", "#54745b", "round"),
    "leather": ("#a3694a", "#f3e3cc", "#7d4d36", "lobed"),
    "hammam": ("#4d9991", "#e8f5f0", "#3a7a75", "horseshoe"),
    "music": ("#6a3c5d", "#f1dde0", "#4e2b45", "pointed"),
    "paper": ("#46566f", "#f1ebdc", "#334056", "lobed"),
}


def room(drawing, kind, lamp=False):
    wall, niche, floor, arch = ROOMS[kind]
    stars = []
    for j in range(6):
        for i in range(6):
            x, y = 80 + 160 * i - (80 if j % 2 else 0), 40 + 150 * j
            stars.append(path(star_d(x, y, 46), "none", stroke=lighter(wall, 0.35), stroke_width=3))
            stars.append(path(star_d(x, y, 22, 22.5), lighter(wall, 0.16)))
    drawing.add(rect(0, 0, SIZE, SIZE, wall), group("".join(stars), opacity=0.5))
    inner = ARCHES[arch]
    drawing.add(line(inner, darker(wall, 0.3), 34), line(inner, lighter(niche, 0.3), 16), path(inner, niche))
    glow, strength = ("#ffb347", 0.13) if lamp else (lighter(niche, 0.55), 0.48)
    content = circle(400, 420, 290, glow, opacity=strength) + circle(400, 420, 205, glow, opacity=strength)
    content += rect(0, FLOOR - 20, SIZE, 200, darker(niche, 0.16))
    content += rect(0, FLOOR - 20, SIZE, 7, darker(niche, 0.28))
    drawing.add(drawing.clipped(inner, content))
    drawing.add(rect(0, 722, SIZE, 78, floor), rect(0, 716, SIZE, 9, lighter(floor, 0.3)),
                group(row("lozenges", 0, SIZE, 762, 50, 34, lighter(floor, 0.2)), opacity=0.55))

"""Pictures of the demo catalogue's products, drawn from a few words such as {"of": "jar", "colour": "#b5651d"}."""

from html import escape

from . import canvas, cloth, craft, pantry, vessels

_MODULES = (pantry, vessels, cloth, craft)


def _motif(name):
    for module in _MODULES:
        if name in module.MOTIFS:
            return module.MOTIFS[name]
    known = sorted(name for module in _MODULES for name in module.MOTIFS)
    raise ValueError(f"no picture is called '{name}'; there are {', '.join(known)}")


def draw(room, picture, title):
    """The SVG of one product in the room of its top category."""
    words = dict(picture)
    motif = _motif(words.pop("of"))
    drawing = canvas.Drawing()
    canvas.room(drawing, room, lamp=room == "lighting")
    motif(drawing, **words)
    return drawing.svg(escape(title))

"""A catalogue of any size to measure with: the same number always gives the same products."""

import random

SHELVES = {
    "Spices": ("Cumin", "Saffron", "Sumac", "Cardamom", "Turmeric", "Cloves", "Paprika", "Nigella", "Fenugreek", "Mace"),
    "Teas": ("Gunpowder", "Sencha", "Assam", "Darjeeling", "Hibiscus", "Verbena", "Chamomile", "Mint", "Rooibos"),
    "Coffees": ("Mocha", "Sidamo", "Harar", "Cerrado", "Huila", "Mandheling", "Yirgacheffe"),
    "Bowls": ("Soup Bowl", "Salad Bowl", "Sauce Bowl", "Fruit Bowl", "Tagine", "Plate", "Platter", "Pitcher"),
    "Lamps": ("Lantern", "Pendant", "Table Lamp", "Sconce", "Candle Holder", "Floor Lamp"),
    "Rugs": ("Kilim", "Runner", "Medallion Rug", "Rag Rug", "Felt Rug", "Door Mat"),
    "Textiles": ("Cushion", "Throw", "Towel", "Shawl", "Tablecloth", "Curtain", "Napkins"),
    "Leather": ("Satchel", "Belt", "Wallet", "Slippers", "Pouf", "Pouch", "Key Ring", "Sandals"),
    "Soaps": ("Olive Soap", "Laurel Soap", "Black Soap", "Clay", "Scrub", "Oil", "Balm"),
    "Copper": ("Tray", "Cezve", "Kettle", "Mortar", "Jug", "Cup", "Samovar", "Ladle"),
    "Instruments": ("Oud", "Darbuka", "Riq", "Ney", "Bendir", "Qanun", "Rebab"),
    "Papers": ("Notebook", "Ink", "Reed Pen", "Paper", "Album", "Wax", "Seal"),
}
ORIGINS = ("Fès", "Aleppo", "Cairo", "Istanbul", "Tunis", "Sana’a", "Isfahan", "Damascus", "Marrakesh", "Gaziantep",
           "Muscat", "Jerusalem", "Konya", "Tlemcen", "Samarkand")
MANNERS = ("Fine", "Plain", "Old", "Hand-Made", "Small", "Large", "Dark", "Light", "Blue", "Red", "Green", "Golden",
           "Striped", "Carved", "Woven", "Smoked", "Wild", "Sun-Dried", "Painted", "Hammered")
COLOURS = ("red", "blue", "green", "amber", "black", "white")
SIZES = ["small", "medium", "large"]

CATEGORIES = [{"name": "categories/bulk", "displayName": "Warehouse", "position": 1000,
               "description": "Products made by a program, to measure with."}] + [
    {"name": f"categories/bulk-{shelf.lower()}", "displayName": f"{shelf}, wholesale", "parent": "categories/bulk",
     "position": 10 * (i + 1)} for i, shelf in enumerate(SHELVES)]


def money(currency, cents):
    amount = {"currencyCode": currency, "units": str(cents // 100)}
    if cents % 100:
        amount["nanos"] = cents % 100 * 10_000_000
    return amount


def product(number):
    """Product `number`, whatever number of them is wanted."""
    chance = random.Random(f"souk {number}")
    shelf = chance.choice(list(SHELVES))
    thing, origin, manner = chance.choice(SHELVES[shelf]), chance.choice(ORIGINS), chance.choice(MANNERS)
    identifier = f"bulk-{number:06d}"
    options, choices = [], [{}]
    kind = chance.random()
    if kind < 0.3:
        options, choices = [{"name": "size", "displayName": "Size", "values": SIZES}], [{"size": s} for s in SIZES]
    elif kind < 0.5:
        colours = chance.sample(COLOURS, 2)
        options = [{"name": "colour", "displayName": "Colour", "values": colours}]
        choices = [{"colour": colour} for colour in colours]
    base = round(chance.lognormvariate(7.4, 0.9))  # cents; half of them above 16
    variants, stock = [], {}
    for i, choice in enumerate(choices):
        sku = f"BULK-{number:06d}-{i + 1}"
        cents = max(base * (10 + 3 * i) // 10, 90)
        variant = {"sku": sku, "weightGrams": chance.randrange(50, 5000),
                   "prices": [{"amount": money("EUR", cents)}, {"amount": money("USD", cents * 11 // 10)}]}
        if choice:
            variant["options"] = choice
        variants.append(variant)
        stock[sku] = 0 if chance.random() < 0.05 else chance.randrange(1, 2000)
    return {
        "product": {
            "name": f"products/{identifier}",
            "displayName": f"{manner} {thing} from {origin}, No. {number}",
            "description": f"{manner} {thing.lower()} as it is made in {origin}. Number {number} of a catalogue that a program "
                           "wrote to measure with: nobody has to like it, and nobody will be sent it.",
            "categories": [f"categories/bulk-{shelf.lower()}"],
            "attributes": {"origin": origin, "manner": manner.lower()},
            "options": options,
            "variants": variants,
            "taxClass": "REDUCED" if shelf in ("Spices", "Teas", "Coffees") else "STANDARD",
        },
        "stock": stock,
    }


def products(count):
    return (product(number) for number in range(1, count + 1))

"""The words that the demo catalog is made of: departments, shelves and their products."""

from dataclasses import dataclass
from typing import Literal

Sizing = Literal["one", "clothes", "kids", "shoes", "kids_shoes", "colour", "bed", "weight", "pack", "volume"]


@dataclass(frozen=True, slots=True)
class Shelf:
    """A category of the lowest level, and how its products are made. Prices are rupees, ``hsn`` and ``tax`` GST's."""

    slug: str
    name: str
    code: str
    nouns: tuple[str, ...]
    styles: tuple[str, ...]
    brands: tuple[str, ...]
    price: tuple[int, int]
    tax: str
    hsn: str
    sizing: Sizing
    attributes: tuple[tuple[str, tuple[str, ...]], ...]
    says: str


@dataclass(frozen=True, slots=True)
class Department:
    """A category of the second level with its shelves."""

    slug: str
    name: str
    shelves: tuple[Shelf, ...]


COLOURS = ("Indigo", "Marigold", "Leaf Green", "Ivory", "Charcoal", "Rose", "Sky Blue", "Maroon")
FABRIC = ("fabric", ("Cotton", "Organic Cotton", "Linen Blend", "Viscose"))
AGE = ("age_group", ("0-1 years", "1-3 years", "3-6 years", "6-9 years"))
KIDS_BRANDS = ("kaveri-kids", "little-banyan", "chhota-and-co", "sitara-baby")
WEAR_BRANDS = ("sutra-threads", "deccan-looms", "urban-peepal", "kashi-weaves", "poshak-lane", "vanya-active")
HOME_BRANDS = ("ghar-sansar", "jharokha", "urban-peepal", "chandni-home", "mitti-and-co")
FOOD_BRANDS = ("annapurna-mill", "konkan-spice", "pahadi", "malabar-leaf", "nilgiri-basket")

BABY_CARE = Department(
    "baby-care",
    "Baby Care",
    (
        Shelf(
            *("diapers", "Diapers", "DPR"),
            ("Taped Diapers", "Diaper Pants", "Cloth Diapers", "Wipes"),
            ("All Night", "Extra Soft", "Quick Dry", "Breathable", "Aloe", "Day and Night"),
            ("little-banyan", "neem-and-moon", "kaveri-kids"),
            (299, 1299),
            *("gst-5", "9619", "pack"),
            (("material", ("Cotton Feel", "Bamboo", "Cotton")), AGE),
            "keep a baby dry for up to twelve hours, with a wetness line that shows when it is time",
        ),
        Shelf(
            *("baby-bath", "Bath & Skin", "BTH"),
            ("Baby Wash", "Baby Lotion", "Baby Shampoo"),
            ("Oat Milk", "Gentle Neem", "Calendula", "Tear Free", "Coconut", "Almond"),
            ("neem-and-moon", "himveda", "little-banyan"),
            (149, 599),
            *("gst-5", "3401", "volume"),
            (("skin_type", ("Sensitive", "Normal", "Dry")), ("fragrance", ("Mild", "None"))),
            "is made without parabens or dyes, and tested on the most sensitive skin",
        ),
        Shelf(
            *("feeding", "Feeding", "FDG"),
            ("Feeding Bottle", "Sipper Cup", "Bowl and Spoon Set"),
            ("Anti-Colic", "Wide Neck", "Spill Proof", "Steel", "Silicone", "Travel"),
            ("little-banyan", "tara-steel", "kaveri-kids"),
            (199, 899),
            *("gst-5", "3924", "colour"),
            (("material", ("Steel", "Silicone", "BPA-free Plastic")), AGE),
            "comes apart in three pieces, so that it can be cleaned properly, and holds no smell",
        ),
    ),
)
KIDS_FASHION = Department(
    "kids-fashion",
    "Kids Fashion",
    (
        Shelf(
            *("kids-t-shirts", "T-Shirts", "KTS"),
            ("Printed T-Shirt", "Striped T-Shirt", "Polo T-Shirt"),
            ("Jungle", "Monsoon", "Cricket", "Rocket", "Elephant", "Mango"),
            KIDS_BRANDS,
            (249, 699),
            *("gst-5", "6109", "kids"),
            (FABRIC, ("pattern", ("Printed", "Striped", "Solid"))),
            "is pre-washed and stays soft, with seams that do not scratch",
        ),
        Shelf(
            *("frocks", "Frocks & Dresses", "FRK"),
            ("A-Line Frock", "Festive Frock", "Pinafore Dress"),
            ("Chikankari", "Block Print", "Ruffle", "Smocked", "Bandhani", "Floral"),
            KIDS_BRANDS,
            (499, 1799),
            *("gst-5", "6204", "kids"),
            (FABRIC, ("occasion", ("Casual", "Festive", "Party"))),
            "twirls, has pockets, and is lined with cotton all the way down",
        ),
        Shelf(
            *("kids-shoes", "Shoes", "KSH"),
            ("Velcro Sneakers", "School Shoes", "Sandals"),
            ("Lightweight", "Anti-Slip", "First Steps", "Sporty", "Classic", "Rainy Day"),
            ("kaveri-kids", "giri-outdoor", "chhota-and-co"),
            (499, 1999),
            *("gst-5", "6404", "kids_shoes"),
            (("closure", ("Velcro", "Slip-on", "Buckle")), ("sole", ("Rubber", "EVA"))),
            "have a wide toe box and a sole that bends where a small foot bends",
        ),
    ),
)
TOYS = Department(
    "toys",
    "Toys & Games",
    (
        Shelf(
            *("building-blocks", "Building Blocks", "BLK"),
            ("Wooden Blocks", "Magnetic Tiles", "Brick Set"),
            ("Village", "Rainbow", "Temple Town", "Castle", "Alphabet", "Bridge"),
            ("nandi-toys", "chhota-and-co", "little-banyan", "jugnu-play"),
            (399, 2999),
            *("gst-5", "9503", "one"),
            (("material", ("Neem Wood", "ABS", "Beech Wood")), AGE),
            "build something new every day, with rounded corners and colours that are safe to chew",
        ),
        Shelf(
            *("soft-toys", "Soft Toys", "SFT"),
            ("Elephant", "Tiger", "Peacock", "Bear"),
            ("Cuddly", "Giant", "Sleepy", "Musical", "Pocket", "Patchwork"),
            ("nandi-toys", "little-banyan", "kaveri-kids", "jugnu-play"),
            (249, 1499),
            *("gst-5", "9503", "colour"),
            (("material", ("Plush", "Cotton", "Wool")), AGE),
            "is washed in a machine and comes back as cuddly as it went in",
        ),
        Shelf(
            *("board-games", "Board Games", "BRD"),
            ("Pachisi", "Word Game", "Memory Game"),
            ("Royal", "Travel", "Family", "Junior", "Heritage", "Quick"),
            ("nandi-toys", "jharokha", "chhota-and-co", "jugnu-play"),
            (299, 1599),
            *("gst-5", "9504", "one"),
            (("players", ("2-4", "2-6", "3-8")), ("language", ("English", "Hindi", "Kannada"))),
            "is learned in five minutes and played for years, by grandparents too",
        ),
    ),
)
KITCHEN = Department(
    "kitchen",
    "Kitchen",
    (
        Shelf(
            *("pressure-cookers", "Pressure Cookers", "PCK"),
            ("Pressure Cooker", "Pressure Pan", "Pressure Handi"),
            ("Inner Lid", "Outer Lid", "Induction Base", "Hard Anodised", "Triply", "Contura"),
            ("rasoi-raja", "tara-steel", "ghar-sansar"),
            (999, 4499),
            *("gst-5", "7615", "volume"),
            (("material", ("Aluminium", "Stainless Steel", "Hard Anodised")), ("induction", ("Yes", "No"))),
            "cooks dal in minutes, with a safety valve and a five-year guarantee",
        ),
        Shelf(
            *("pans-and-tawas", "Pans & Tawas", "PAN"),
            ("Dosa Tawa", "Frying Pan", "Kadhai"),
            ("Cast Iron", "Non-Stick", "Granite", "Pre-Seasoned", "Deep", "Triply"),
            ("rasoi-raja", "tara-steel", "ghar-sansar"),
            (449, 2999),
            *("gst-5", "7323", "one"),
            (("material", ("Cast Iron", "Aluminium", "Steel")), ("diameter", ("24 cm", "28 cm", "30 cm"))),
            "heats evenly from rim to rim and lasts longer than the stove",
        ),
        Shelf(
            *("lunch-boxes", "Lunch Boxes & Jars", "LNB"),
            ("Lunch Box", "Storage Jar", "Water Bottle", "Tiffin"),
            ("Insulated", "Steel", "Leakproof", "Stackable", "Copper", "Office"),
            ("tara-steel", "ghar-sansar", "urban-peepal"),
            (249, 1799),
            *("gst-18", "3924", "colour"),
            (("material", ("Steel", "Glass", "Copper")), ("leakproof", ("Yes", "No"))),
            "keeps what is in it fresh and what is around it dry",
        ),
    ),
)
BED_AND_DECOR = Department(
    "bed-and-decor",
    "Bed & Decor",
    (
        Shelf(
            *("bedsheets", "Bedsheets", "BDS"),
            ("Bedsheet Set", "Fitted Bedsheet", "Dohar"),
            ("Ajrakh", "Jaipuri", "Kalamkari", "Percale", "Striped", "Ikat"),
            ("deccan-looms", "jharokha", "ghar-sansar"),
            (799, 3499),
            *("gst-5", "6304", "bed"),
            (("fabric", ("Cotton", "Linen Blend", "Microfibre")), ("thread_count", ("144", "210", "300"))),
            "gets softer with every wash and does not bleed its colours",
        ),
        Shelf(
            *("lamps", "Lamps", "LMP"),
            ("Table Lamp", "Floor Lamp", "Lantern"),
            ("Brass", "Cane", "Terracotta", "Paper", "Jaali", "Moradabadi"),
            HOME_BRANDS,
            (699, 5999),
            *("gst-18", "9405", "one"),
            (("material", ("Brass", "Cane", "Clay")), ("bulb", ("E27", "B22", "LED"))),
            "throws a warm light and a pattern on the wall behind it",
        ),
        Shelf(
            *("cushions", "Cushions & Covers", "CSH"),
            ("Cushion Cover", "Floor Cushion", "Bolster"),
            ("Block Print", "Kantha", "Velvet", "Mirror Work", "Handloom", "Jute"),
            HOME_BRANDS,
            (199, 1499),
            *("gst-5", "6304", "colour"),
            (FABRIC, ("size", ("40 x 40 cm", "45 x 45 cm", "60 x 60 cm"))),
            "has a hidden zip and a weave that hides what children do to it",
        ),
    ),
)
WOMEN = Department(
    "women",
    "Women",
    (
        Shelf(
            *("kurtas", "Kurtas", "KRT"),
            ("Straight Kurta", "A-Line Kurta", "Anarkali Kurta"),
            ("Chikankari", "Ajrakh", "Bandhani", "Block Print", "Handloom", "Embroidered"),
            WEAR_BRANDS,
            (599, 2499),
            *("gst-5", "6204", "clothes"),
            (FABRIC, ("sleeve", ("Full", "Three-Quarter", "Sleeveless"))),
            "is cut for long days, with side slits and a pocket where one is needed",
        ),
        Shelf(
            *("sarees", "Sarees", "SAR"),
            ("Handloom Saree", "Silk Saree", "Cotton Saree"),
            ("Maheshwari", "Ilkal", "Chanderi", "Pochampally", "Kasavu", "Banarasi"),
            ("deccan-looms", "jharokha", "sutra-threads"),
            (1299, 9999),
            *("gst-5", "5208", "colour"),
            (("fabric", ("Silk", "Cotton", "Silk Cotton")), ("occasion", ("Festive", "Wedding", "Daily"))),
            "comes with an unstitched blouse piece and the name of the weaver",
        ),
        Shelf(
            *("handbags", "Handbags", "HBG"),
            ("Tote", "Sling Bag", "Potli", "Backpack"),
            ("Canvas", "Vegan Leather", "Jute", "Embroidered", "Quilted", "Kantha"),
            ("jharokha", "urban-peepal", "sutra-threads"),
            (499, 3999),
            *("gst-18", "4202", "colour"),
            (("material", ("Canvas", "Jute", "Vegan Leather")), ("closure", ("Zip", "Magnet", "Drawstring"))),
            "holds a laptop or a day at the market, and has a pocket that closes",
        ),
    ),
)
MEN = Department(
    "men",
    "Men",
    (
        Shelf(
            *("shirts", "Shirts", "SHR"),
            ("Casual Shirt", "Formal Shirt", "Short Kurta"),
            ("Oxford", "Linen", "Checked", "Mandarin Collar", "Printed", "Chambray"),
            WEAR_BRANDS,
            (699, 2299),
            *("gst-5", "6205", "clothes"),
            (FABRIC, ("fit", ("Slim", "Regular", "Relaxed"))),
            "breathes in May, irons easily and keeps its collar",
        ),
        Shelf(
            *("trousers", "Trousers", "TRS"),
            ("Chinos", "Track Pants", "Cargo Trousers"),
            ("Stretch", "Everyday", "Tapered", "Travel", "Pleated", "Lightweight"),
            ("urban-peepal", "giri-outdoor", "sutra-threads"),
            (799, 2499),
            *("gst-5", "6203", "clothes"),
            (FABRIC, ("fit", ("Slim", "Regular", "Relaxed"))),
            "move with you from the desk to the evening train",
        ),
        Shelf(
            *("sneakers", "Sneakers & Sandals", "SNK"),
            ("Sneakers", "Kolhapuri Chappals", "Trail Shoes"),
            ("Featherweight", "Canvas", "Grip", "Classic", "Knit", "All Weather"),
            ("giri-outdoor", "urban-peepal", "jharokha"),
            (999, 4999),
            *("gst-18", "6404", "shoes"),
            (("upper", ("Canvas", "Mesh", "Leather")), ("sole", ("Rubber", "EVA", "Leather"))),
            "carry you the whole day and can be re-soled when they have",
        ),
    ),
)
STAPLES = Department(
    "staples",
    "Staples & Spices",
    (
        Shelf(
            *("rice-and-atta", "Rice & Atta", "RIC"),
            ("Basmati Rice", "Sona Masoori Rice", "Chakki Atta"),
            ("Aged", "Organic", "Premium", "Everyday", "Stone Ground", "Single Farm"),
            ("annapurna-mill", "pahadi", "himveda"),
            (65, 180),
            *("gst-5", "1006", "weight"),
            (("diet", ("Vegetarian", "Vegan")), ("organic", ("Yes", "No"))),
            "comes straight from the mill and is packed the week it is ground",
        ),
        Shelf(
            *("dals", "Dals & Pulses", "DAL"),
            ("Toor Dal", "Moong Dal", "Rajma", "Chana"),
            ("Unpolished", "Organic", "Hill Grown", "Everyday", "Sorted", "Heritage"),
            ("annapurna-mill", "pahadi", "konkan-spice"),
            (90, 240),
            *("gst-0", "0713", "weight"),
            (("diet", ("Vegetarian", "Vegan")), ("organic", ("Yes", "No"))),
            "is sorted twice, never polished, and cooks without soaking",
        ),
        Shelf(
            *("spices", "Spices & Masalas", "SPC"),
            ("Turmeric", "Garam Masala", "Red Chilli", "Cumin"),
            ("Lakadong", "Stone Ground", "Byadgi", "Roasted", "Organic", "Homestyle"),
            ("konkan-spice", "malabar-leaf", "himveda"),
            (55, 320),
            *("gst-5", "0910", "weight"),
            (("form", ("Whole", "Powder")), ("organic", ("Yes", "No"))),
            "is ground in small lots, so that the oil is still in it when it reaches the pan",
        ),
    ),
)
SNACKS_AND_DRINKS = Department(
    "snacks-and-drinks",
    "Snacks & Drinks",
    (
        Shelf(
            *("namkeen", "Namkeen & Biscuits", "NMK"),
            ("Bhujia", "Banana Chips", "Jeera Biscuits"),
            ("Baked", "Spicy", "Classic", "Ragi", "Peppery", "Coconut Oil"),
            FOOD_BRANDS,
            (45, 220),
            *("gst-5", "2106", "pack"),
            (("diet", ("Vegetarian", "Vegan")), ("spice_level", ("Mild", "Medium", "Hot"))),
            "goes with tea, and is gone before the tea is",
        ),
        Shelf(
            *("tea-and-coffee", "Tea & Coffee", "TEA"),
            ("Assam Tea", "Filter Coffee", "Kahwa"),
            ("First Flush", "Estate", "Masala", "Monsooned", "Cardamom", "Strong"),
            ("malabar-leaf", "pahadi", "himveda"),
            (120, 650),
            *("gst-5", "0902", "weight"),
            (("origin", ("Assam", "Chikkamagaluru", "Kashmir")), ("caffeine", ("Yes", "No"))),
            "is packed at the estate and tastes of the hill it grew on",
        ),
        Shelf(
            *("cold-drinks", "Cold Drinks", "CLD"),
            ("Fizzy Jeera", "Fizzy Lime", "Cola"),
            ("Classic", "Zero Sugar", "Black Salt", "Ginger", "Kokum", "Party"),
            ("konkan-spice", "rasoi-raja", "malabar-leaf"),
            (35, 120),
            *("gst-40", "2202", "volume"),
            (("sugar", ("Regular", "None")), ("diet", ("Vegan",))),
            "wants to be served very cold, with a slice of lime",
        ),
    ),
)

STORE: tuple[tuple[str, str, tuple[Department, ...]], ...] = (
    ("grocery", "Grocery", (STAPLES, SNACKS_AND_DRINKS)),
    ("baby-and-kids", "Baby & Kids", (BABY_CARE, KIDS_FASHION, TOYS)),
    ("home", "Home & Kitchen", (KITCHEN, BED_AND_DECOR)),
    ("fashion", "Fashion", (WOMEN, MEN)),
)

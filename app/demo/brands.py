"""The brands of the demo catalog, by slug. None of them exists."""

from types import MappingProxyType

BRANDS = MappingProxyType(
    {
        "annapurna-mill": "Annapurna Mill",
        "chandni-home": "Chandni Home",
        "chhota-and-co": "Chhota & Co",
        "deccan-looms": "Deccan Looms",
        "ghar-sansar": "Ghar Sansar",
        "giri-outdoor": "Giri Outdoor",
        "himveda": "Himveda",
        "jharokha": "Jharokha",
        "jugnu-play": "Jugnu Play",
        "kashi-weaves": "Kashi Weaves",
        "kaveri-kids": "Kaveri Kids",
        "konkan-spice": "Konkan Spice House",
        "little-banyan": "Little Banyan",
        "malabar-leaf": "Malabar Leaf",
        "mitti-and-co": "Mitti & Co",
        "nandi-toys": "Nandi Toys",
        "neem-and-moon": "Neem & Moon",
        "nilgiri-basket": "Nilgiri Basket",
        "pahadi": "Pahadi",
        "poshak-lane": "Poshak Lane",
        "rasoi-raja": "Rasoi Raja",
        "sitara-baby": "Sitara Baby",
        "sutra-threads": "Sutra Threads",
        "tara-steel": "Tara Steel",
        "urban-peepal": "Urban Peepal",
        "vanya-active": "Vanya Active",
    }
)

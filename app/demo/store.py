"""What the demo store has beside products: warehouses, delivery charges and coupons. Amounts are paise."""

from typing import Any

STARTED = "2026-01-01T00:00:00+05:30"

# the first is where the seller is
WAREHOUSES: dict[str, dict[str, Any]] = {
    "BLR": {"name": "Bengaluru", "state_code": "KA", "pincode": "560067", "priority": 10},
    "BOM": {"name": "Bhiwandi, Mumbai", "state_code": "MH", "pincode": "421302", "priority": 20},
}

SHIPPING_RULES: dict[str, dict[str, Any]] = {
    "Andaman and Nicobar by air": {"priority": 1, "pincode_prefix": "744", "charge": 19900, "cod_allowed": False},
    "Lakshadweep is not reached": {"priority": 1, "pincode_prefix": "682555", "is_serviceable": False},
    "Ladakh by road": {"priority": 2, "state_code": "LA", "charge": 14900, "cod_allowed": False},
    "Bengaluru, free from ₹299": {"priority": 5, "pincode_prefix": "560", "min_subtotal": 29900, "charge": 0},
}

COUPONS: dict[str, dict[str, Any]] = {
    "WELCOME10": {
        "name": "10 % off the first order",
        "description": "Up to ₹250 off your first order.",
        "kind": "percent",
        "percent_bp": 1000,
        "max_discount": 25000,
        "first_order_only": True,
        "per_user_limit": 1,
        "is_public": True,
    },
    "FLAT150": {
        "name": "₹150 off from ₹999",
        "kind": "fixed",
        "amount": 15000,
        "min_subtotal": 99900,
        "is_public": True,
    },
    "SHIPFREE": {
        "name": "Free delivery",
        "description": "Goes with any other offer.",
        "kind": "free_shipping",
        "stackable": True,
        "is_public": True,
    },
    "TOYS3FOR2": {
        "name": "Three toys for the price of two",
        "kind": "buy_x_get_y",
        "buy_quantity": 2,
        "get_quantity": 1,
        "get_percent_bp": 10000,
        "scope": "categories",
        "categories": ["toys"],
        "is_public": True,
    },
    "KIDS15": {
        "name": "15 % off baby and kids",
        "kind": "percent",
        "percent_bp": 1500,
        "max_discount": 50000,
        "min_subtotal": 79900,
        "scope": "categories",
        "categories": ["baby-and-kids"],
        "stackable": True,
        "is_public": True,
    },
    "HOME500": {
        "name": "₹500 off home and kitchen from ₹2,999",
        "kind": "fixed",
        "amount": 50000,
        "min_subtotal": 299900,
        "scope": "categories",
        "categories": ["home"],
        "is_public": True,
    },
    "FIRST100": {
        "name": "20 % off for the first hundred",
        "kind": "percent",
        "percent_bp": 2000,
        "max_discount": 100000,
        "usage_limit": 100,
        "per_user_limit": 1,
        "is_public": True,
    },
    "FRIENDS": {
        "name": "5 % off for friends of the house",
        "kind": "percent",
        "percent_bp": 500,
        "stackable": True,
    },
}

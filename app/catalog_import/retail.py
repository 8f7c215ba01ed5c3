"""UCI Online Retail: which of its StockCodes are goods, and the SKU of each.

Goods are five digits and at most two letters (``85123A``). Everything else in that column is postage, fees, discounts,
manual entries, samples and vouchers: no product that a shopper could put in a cart.
"""

import re

_GOODS = re.compile(r"^[0-9]{5}[A-Za-z]{0,2}$")


def is_goods(code: str) -> bool:
    """Whether a StockCode is a product."""
    return _GOODS.match(code) is not None


def sku_of(code: str) -> str:
    """The SKU of a StockCode; the file writes the same goods with letters of either case."""
    return code.upper()

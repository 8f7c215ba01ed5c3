"""Every projection there is. Freshness is judged over these, whether or not they have a row yet."""

from projections.catalog import CATALOG
from projections.definition import Projection
from projections.orders import ORDERS

PROJECTIONS: dict[str, Projection] = {projection.name: projection for projection in (CATALOG, ORDERS)}

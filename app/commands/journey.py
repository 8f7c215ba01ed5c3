"""A shopper's journey as shell commands to copy: what `kirana up` prints when everything is ready."""

from pathlib import Path

JOURNEY = """\
api={base}/v1
post() {{ local to=$1 body=$2; shift 2; curl -s $api/$to -H 'Content-Type: application/json' -d "$body" "$@"; }}
pick() {{ {python} -c '
import functools, json, sys
answer = json.load(sys.stdin)
if "remedy" in answer:
    sys.exit(answer["title"] + ". " + answer["remedy"])
step = lambda at, name: at[int(name)] if name.isdigit() else at[name]
found = {{path: functools.reduce(step, path.split("."), answer) for path in sys.argv[1:]}}
print(json.dumps(found) if len(found) > 1 else next(iter(found.values())))' "$@"; }}

# sign in: in development the code is written to a file instead of being sent by SMS
post auth/otp '{{"phone": "+919876543210"}}' | pick phone expires_in
CODE=$(pick code < {data_dir}/otp/919876543210.json)
TOKEN=$(post auth/otp/verify '{{"phone": "+919876543210", "code": "'$CODE'"}}' | pick access_token)
AUTH="Authorization: Bearer $TOKEN"

# browse: the cheapest product that is in stock
SLUG=$(curl -s "$api/products?limit=1&in_stock=true&sort=price_asc" | pick items.0.slug)
SKU=$(curl -s $api/products/$SLUG | pick variants.0.sku)
curl -s $api/products/$SLUG | pick title price in_stock

# cart, address, checkout: the order holds stock, price and coupons until it is paid
post cart/items '{{"sku": "'$SKU'", "quantity": 2}}' -H "$AUTH" | pick subtotal shipping_total grand_total
ADDRESS=$(post addresses '{{"recipient_name": "Asha Rao", "phone": "+919876543210", "line1": "12 MG Road",
  "city": "Bengaluru", "state_code": "KA", "pincode": "560001"}}' -H "$AUTH" | pick id)
post cart/validate '{{"address_id": "'$ADDRESS'"}}' -H "$AUTH" | pick subtotal grand_total
PLACED=$(post checkout '{{"address_id": "'$ADDRESS'", "payment_method": "prepaid"}}' -H "$AUTH" \\
  -H "Idempotency-Key: order-$ADDRESS")
pick number status payment_status grand_total <<< "$PLACED"
ORDER=$(pick id <<< "$PLACED")

# pay: the sandbox gateway takes the money and tells the store by a signed webhook
ATTEMPT=$(post orders/$ORDER/payments '{{"method": "upi", "provider": "sandbox"}}' -H "$AUTH" \\
  -H "Idempotency-Key: payment-$ORDER")
curl -s {sandbox}/pay -H 'Content-Type: application/json' -d '{{"payment_id": "'$(pick id <<< "$ATTEMPT")'",
  "amount": '$(pick amount <<< "$ATTEMPT")', "currency": "INR", "outcome": "captured"}}' > /dev/null
sleep 1
curl -s $api/orders/$ORDER -H "$AUTH" | pick number status payment_status captured_total
"""


def journey(base: str, sandbox: str, data_dir: Path, python: str = "python3") -> str:
    """The commands, against the API and the sandbox gateway at these addresses (scheme, host and port)."""
    return JOURNEY.format(base=base, sandbox=sandbox, data_dir=data_dir, python=python)

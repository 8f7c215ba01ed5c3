"""A shopper's journey as shell commands to copy: what `kirana up` prints when everything is ready."""

from pathlib import Path

JOURNEY = """\
key() {{ {python} -c "import uuid; print(uuid.uuid4())"; }}
field() {{ {python} -c "import json, sys; print(json.load(sys.stdin)$1)"; }}
post() {{ local path=$1 body=$2; shift 2
  curl -s {base}/v1/$path -H 'Content-Type: application/json' -d "$body" "$@"; }}

# sign in: the development sender leaves the code in a file instead of sending an SMS
post auth/otp '{{"phone": "+919876543210"}}'
CODE=$(field '["code"]' < {data_dir}/otp/919876543210.json)
TOKEN=$(post auth/otp/verify '{{"phone": "+919876543210", "code": "'$CODE'"}}' | field '["access_token"]')
AUTH="Authorization: Bearer $TOKEN"

# browse
curl -s '{base}/v1/products?limit=3&in_stock=true'
SLUG=$(curl -s '{base}/v1/products?limit=1&in_stock=true' | field '["items"][0]["slug"]')
SKU=$(curl -s {base}/v1/products/$SLUG | field '["variants"][0]["sku"]')

# cart, address, checkout
post cart/items '{{"sku": "'$SKU'", "quantity": 1}}' -H "$AUTH"
ADDRESS=$(post addresses '{{"recipient_name": "Asha Rao", "phone": "+919876543210", "line1": "12 MG Road",
  "city": "Bengaluru", "state_code": "KA", "pincode": "560001"}}' -H "$AUTH" | field '["id"]')
post cart/validate '{{"address_id": "'$ADDRESS'"}}' -H "$AUTH"
ORDER=$(post checkout '{{"address_id": "'$ADDRESS'", "payment_method": "prepaid"}}' -H "$AUTH" \\
  -H "Idempotency-Key: $(key)" | field '["id"]')

# pay: the sandbox gateway takes the money and tells the store by webhook
PAYMENT=$(post orders/$ORDER/payments '{{"method": "upi", "provider": "sandbox"}}' -H "$AUTH" \\
  -H "Idempotency-Key: $(key)")
PAY=$(echo "$PAYMENT" | field '["id"]'); DUE=$(echo "$PAYMENT" | field '["amount"]')
curl -s {sandbox}/pay -H 'Content-Type: application/json' \\
  -d '{{"payment_id": "'$PAY'", "amount": '$DUE', "currency": "INR", "outcome": "captured"}}'
sleep 1
curl -s {base}/v1/orders/$ORDER -H "$AUTH" | field '["status"]'
"""


def journey(base: str, sandbox: str, data_dir: Path, python: str = "python3") -> str:
    """The commands, against the API and the sandbox gateway at these addresses (scheme, host and port)."""
    return JOURNEY.format(base=base, sandbox=sandbox, data_dir=data_dir, python=python)

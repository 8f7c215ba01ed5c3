"""A shopper's journey as shell commands to copy: what `kirana up` prints when everything is ready."""

JOURNEY = """\
key() {{ {python} -c "import uuid; print(uuid.uuid4())"; }}
field() {{ {python} -c "import json, sys; print(json.load(sys.stdin)$1)"; }}

# one time: sign in (the code is printed above by the console sender)
curl -s {base}/v1/auth/otp -H 'Content-Type: application/json' -d '{{"phone": "+919876543210"}}'
read -rp 'code: ' CODE
TOKEN=$(curl -s {base}/v1/auth/otp/verify -H 'Content-Type: application/json' \\
  -d "{{\\"phone\\": \\"+919876543210\\", \\"code\\": \\"$CODE\\"}}" | field '["access_token"]')
AUTH="Authorization: Bearer $TOKEN"

# browse
curl -s '{base}/v1/products?limit=5'
SKU=$(curl -s '{base}/v1/products?limit=1' | field '["items"][0]["sku"]')

# cart, address, checkout
curl -s {base}/v1/cart/items -H "$AUTH" -H "Idempotency-Key: $(key)" -H 'Content-Type: application/json' \\
  -d "{{\\"sku\\": \\"$SKU\\", \\"quantity\\": 1}}"
ADDRESS=$(curl -s {base}/v1/addresses -H "$AUTH" -H 'Content-Type: application/json' \\
  -d '{{"recipient_name": "Asha Rao", "phone": "+919876543210", "line1": "12 MG Road", "city": "Bengaluru",
       "state_code": "KA", "pincode": "560001"}}' | field '["id"]')
curl -s -X POST {base}/v1/cart/validate -H "$AUTH"
ORDER=$(curl -s {base}/v1/checkout -H "$AUTH" -H "Idempotency-Key: $(key)" -H 'Content-Type: application/json' \\
  -d "{{\\"address_id\\": \\"$ADDRESS\\"}}" | field '["id"]')

# pay with the sandbox, and look at the order
curl -s {base}/v1/orders/$ORDER/payments -H "$AUTH" -H "Idempotency-Key: $(key)" \\
  -H 'Content-Type: application/json' -d '{{"provider": "sandbox", "method": "upi"}}'
curl -s {base}/v1/orders/$ORDER -H "$AUTH"
"""


def journey(base: str, python: str = "python3") -> str:
    """The commands, against the API at ``base`` (scheme, host and port)."""
    return JOURNEY.format(base=base, python=python)

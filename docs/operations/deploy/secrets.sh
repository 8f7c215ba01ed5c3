#!/bin/sh
# Prints what compose.yaml wants in .env, each secret new and random:  sh docs/operations/deploy/secrets.sh > .env
set -eu

new() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

cat <<END
# Mode 600, and a copy elsewhere: without it the store's sessions, codes and webhooks are void.
KIRANA_SUPERUSER_PASSWORD=$(new)
KIRANA_OWNER_PASSWORD=$(new)
KIRANA_COMMAND_PASSWORD=$(new)
KIRANA_QUERY_PASSWORD=$(new)
KIRANA_PROJECTOR_PASSWORD=$(new)
KIRANA_JWT_SECRET=$(new)
KIRANA_OTP_PEPPER=$(new)
KIRANA_CURSOR_SECRET=$(new)
KIRANA_WEBHOOK_ENCRYPTION_KEYS='["$(new)"]'
# What each payment provider signs with (its own secret, once you have it), and where it answers.
KIRANA_WEBHOOK_SECRETS='{"gateway": ["$(new)"]}'
KIRANA_GATEWAY_URLS='{"gateway": "https://gateway.example"}'
# The SMS gateway that codes are posted to, and the token that it knows us by.
KIRANA_OTP_HTTP_URL=https://sms.example/send
KIRANA_OTP_HTTP_TOKEN=$(new)
END

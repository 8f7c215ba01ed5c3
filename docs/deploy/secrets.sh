#!/bin/sh
# Prints what compose.yaml wants in .env, each secret new and random:  sh docs/deploy/secrets.sh > .env
set -eu
umask 077

new() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

cat <<END
# Keep this file to yourself, and a copy of it elsewhere: without it the store's sessions, codes and webhooks are void.
POSTGRES_PASSWORD=$(new)
OWNER_PASSWORD=$(new)
COMMAND_PASSWORD=$(new)
QUERY_PASSWORD=$(new)
PROJECTOR_PASSWORD=$(new)
KIRANA_JWT_SECRET=$(new)
KIRANA_OTP_PEPPER=$(new)
KIRANA_CURSOR_SECRET=$(new)
KIRANA_WEBHOOK_ENCRYPTION_KEYS='["$(new)"]'
# What each payment provider signs with: its own secret, once you have it.
KIRANA_WEBHOOK_SECRETS='{"sandbox": ["$(new)"]}'
# The SMS gateway that codes are posted to, and its token.
KIRANA_OTP_HTTP_URL=
KIRANA_OTP_HTTP_TOKEN=
END

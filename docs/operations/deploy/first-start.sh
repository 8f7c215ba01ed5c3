#!/bin/sh
# The first start of a database server: the owner, the logins, the database. Run once, as a superuser.
# Environment: POSTGRES_USER and KIRANA_{OWNER,COMMAND,QUERY,PROJECTOR}_PASSWORD.
set -eu

psql --set ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv owner KIRANA_OWNER_PASSWORD
\getenv command KIRANA_COMMAND_PASSWORD
\getenv query KIRANA_QUERY_PASSWORD
\getenv projector KIRANA_PROJECTOR_PASSWORD
CREATE ROLE kirana_owner LOGIN CREATEROLE PASSWORD :'owner';
GRANT pg_read_all_stats TO kirana_owner;
CREATE DATABASE kirana OWNER kirana_owner ENCODING 'UTF8' TEMPLATE template0;
-- Made by the owner, so that the owner's migrations may look after them.
SET ROLE kirana_owner;
CREATE ROLE kirana_command LOGIN NOINHERIT PASSWORD :'command';
CREATE ROLE kirana_query LOGIN NOINHERIT PASSWORD :'query';
CREATE ROLE kirana_projector LOGIN NOINHERIT PASSWORD :'projector';
SQL

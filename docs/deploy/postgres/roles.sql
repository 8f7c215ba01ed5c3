-- The owner, the roles that log in, and the database. Once, as a superuser, before the first `kirana migrate`:
--   OWNER_PASSWORD=… COMMAND_PASSWORD=… QUERY_PASSWORD=… PROJECTOR_PASSWORD=… psql -f roles.sql postgres
\set ON_ERROR_STOP on
\getenv owner_password OWNER_PASSWORD
\getenv command_password COMMAND_PASSWORD
\getenv query_password QUERY_PASSWORD
\getenv projector_password PROJECTOR_PASSWORD

CREATE ROLE kirana_owner LOGIN CREATEROLE PASSWORD :'owner_password';
GRANT pg_read_all_stats TO kirana_owner;

-- Made by the owner, because who makes a role may grant it: the migrations do.
SET ROLE kirana_owner;
CREATE ROLE kirana_command LOGIN NOINHERIT PASSWORD :'command_password';
CREATE ROLE kirana_query LOGIN NOINHERIT PASSWORD :'query_password';
CREATE ROLE kirana_projector LOGIN NOINHERIT PASSWORD :'projector_password';
RESET ROLE;

CREATE DATABASE kirana OWNER kirana_owner ENCODING 'UTF8' TEMPLATE template0;

# One image for every process of Kirana; the command says which: see compose.yaml and docs/operations/deploy.md.
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/kirana
WORKDIR /srv/kirana
COPY pyproject.toml requirements.lock ./
COPY app app
COPY command_api command_api
COPY query_api query_api
COPY projections projections
# The lock pins what is installed; what only tests and the embedded servers need is not asked for.
RUN /opt/kirana/bin/pip install --constraint requirements.lock editables hatchling \
    && /opt/kirana/bin/pip install --constraint requirements.lock --no-build-isolation --editable .

FROM python:3.11-slim-bookworm AS run
ENV PATH=/opt/kirana/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 KIRANA_ENVIRONMENT=production
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin kirana
COPY --from=build /opt/kirana /opt/kirana
WORKDIR /srv/kirana
COPY pyproject.toml requirements.lock LICENSE ./
COPY app app
COPY command_api command_api
COPY query_api query_api
COPY projections projections
COPY procedures procedures
COPY migrations migrations
USER 10001
EXPOSE 8000
# Of an API: the process lives. A projector and a worker have none: they end when they can't go on, and are started again.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["uvicorn", "app.main:app", "--host", "0.0.0.0", "--port", "8000", "--no-access-log", "--no-server-header", \
     "--no-proxy-headers", "--timeout-graceful-shutdown", "20"]

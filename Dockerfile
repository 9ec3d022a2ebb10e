# Vesalius in a container: the viewer is built by Node, the rest is installed by pip at the versions that were tested.
# docs/container.md says how it is built and run, and where CPU builds of torch come from.

FROM node:22-bookworm-slim AS viewer
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund --loglevel=error
COPY src/vesalius/serve/viewer src/vesalius/serve/viewer
RUN npm run --silent build

FROM python:3.11-slim-bookworm
# pip reads these while the image is built; the index of torch's CPU builds goes into the second one.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONUNBUFFERED=1

# Of de-identification: the letters that are burned into pixels are found by tesseract.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends tesseract-ocr \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /build
COPY constraints.txt ./
RUN pip install -c constraints.txt torch
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY --from=viewer /build/src/vesalius/serve/viewer/static src/vesalius/serve/viewer/static
RUN pip install -c constraints.txt '.[postgres,retrieval,video]' \
    && useradd --create-home --uid 10001 vesalius \
    && install -d -o vesalius /data

USER 10001
WORKDIR /data
VOLUME /data
# the service and its viewer; the DICOM node
EXPOSE 8080 11112
ENTRYPOINT ["vesalius"]
CMD ["--help"]

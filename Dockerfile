# A hosted Room: one program, the providers' programs beside it, and little else.
#
#   docker build --build-arg COMMIT="$(git rev-parse --short=12 HEAD)" --tag room .
#
# Plain Dockerfile, nothing of one builder's own: docker, buildah and podman build it.
# `cargo xtask image` builds it from bases of its own making and proves what docs/self-host.md says
# of it. To pin a base, give it with its digest, which your registry tells:
#
#   docker buildx imagetools inspect debian:trixie-slim
#   docker build --build-arg BASE_IMAGE=docker.io/library/debian:trixie-slim@sha256:… .

# The two have to be of the same release of Debian, for its C library.
ARG BUILD_IMAGE=docker.io/library/rust:1.95-trixie
ARG BASE_IMAGE=docker.io/library/debian:trixie-slim


# The program, by the lock file. The dashboard is in `ui-dist`, so no Node is needed. Who has built
# it elsewhere names the folder: `--build-context build=FOLDER`.
FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY . .
ARG COMMIT=unknown
RUN ROOM_COMMIT="${COMMIT}" cargo build --release --locked --package room-runtime --bin room \
    && cp target/release/room /room \
    && rm -rf target


# The base, with what TLS needs and the user. On read-only media nothing of it is ever written.
FROM ${BASE_IMAGE} AS base
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/*.log \
    && groupadd --gid 10001 room \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /bin/sh room \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data


# The providers' programs, by Room itself: at the versions it was tested with, each archive pinned
# by its SHA-512, unpacked and run once. `--build-arg CLIS=` leaves them to the dashboard, which
# installs them on the volume.
FROM base AS clis
ARG CLIS="codex claude"
COPY --from=build /room /usr/local/bin/room
RUN mkdir -p /opt/room/cli \
    && if [ -n "${CLIS}" ]; then room install ${CLIS} --into /opt/room; fi \
    && rm -rf /opt/room/home /opt/room/work /opt/room/cli/staging \
    && chmod -R u=rwX,go=rX /opt/room


FROM base
COPY --from=clis /opt/room /opt/room
COPY --from=build /room /usr/local/bin/room
ENV PATH=/opt/room/cli/bin:/usr/local/bin:/usr/bin:/bin \
    ROOM_MODE=cloud \
    ROOM_BIND=0.0.0.0 \
    ROOM_PORT=3700 \
    ROOM_DATA_DIR=/data \
    ROOM_LOG_FORMAT=json
USER 10001:10001
# As the user that runs them, where nothing of the machine that built them is left.
RUN room --version \
    && for program in /opt/room/cli/bin/*; do \
        if [ -x "${program}" ]; then HOME=/tmp/home "${program}" --version || exit 1; fi; \
    done \
    && rm -rf /tmp/home
VOLUME /data
EXPOSE 3700
# Room ends within 15 seconds of it; give it 30 (`docker run --stop-timeout 30`).
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 CMD ["room", "healthcheck"]
# As process 1 Room waits for orphans itself, so it needs no init in front.
ENTRYPOINT ["/usr/local/bin/room"]
CMD ["serve"]

# docker build -t qdn-relay .
# docker run --read-only --tmpfs /tmp --cap-drop=ALL --security-opt no-new-privileges --ulimit core=0 \
#   -v qdn-relay:/var/lib/qdn-relay -v ./qdn.toml:/etc/qdn-relay/qdn.toml:ro \
#   -v ./secrets.env:/run/secrets/qdn.env:ro -e SECRETS_FILE=/run/secrets/qdn.env \
#   -p 127.0.0.1:8080:8080 --stop-timeout 30 qdn-relay
# The secrets come from a file, mode 0600 and owned by 10001: what --env-file sets is shown by `docker inspect`.
#
# The bases are pinned by the digests of their indexes of all platforms, as github.com/docker-library/repo-info records
# them. `docker buildx imagetools inspect rust:1.95-slim-trixie` and `... debian:trixie-slim` print today's.
ARG RUST=rust:1.95-slim-trixie@sha256:ee4fa026a11f9e8b1b00568364a880dc720409bb94b0e6800f63f974f9c909d5
ARG DEBIAN=debian:trixie-slim@sha256:3a39a0592364683e6bab97937b72cad5a8fa6dcbbee90edb3bb48c7f8e94f258

FROM ${RUST} AS build
WORKDIR /src
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY Cargo.toml Cargo.lock manifest.yaml ./
COPY benches benches
COPY crates crates
COPY migrations migrations
COPY src src
COPY tests tests
RUN cargo build --release --locked --bin qdn-relay

FROM ${DEBIAN}
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/qdn-relay --create-home --shell /usr/sbin/nologin qdn
COPY --from=build /src/target/release/qdn-relay /usr/local/bin/qdn-relay
USER 10001
WORKDIR /var/lib/qdn-relay
VOLUME /var/lib/qdn-relay
ENV QDN_LISTEN=0.0.0.0:8080 QDN_DATABASE_URL=sqlite:///var/lib/qdn-relay/qdn.db
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["curl", "-sf", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["/usr/local/bin/qdn-relay"]
CMD ["serve", "--config", "/etc/qdn-relay/qdn.toml"]

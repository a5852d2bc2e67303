# docker build -t qdn-relay .
# docker run --read-only --tmpfs /tmp -v qdn-relay:/var/lib/qdn-relay -v ./qdn.toml:/etc/qdn-relay/qdn.toml:ro \
#   --env-file secrets.env -p 127.0.0.1:8080:8080 --stop-timeout 30 qdn-relay
FROM rust:1.95-slim-trixie AS build
WORKDIR /src
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY Cargo.toml Cargo.lock manifest.yaml ./
COPY benches benches
COPY migrations migrations
COPY src src
COPY tests tests
RUN cargo build --release --locked --bin qdn-relay

FROM debian:trixie-slim
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

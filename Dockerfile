# Parley in a container: docs/operate/container.md. Both stages are Debian 12, so that the libraries are the same.
FROM debian:12-slim AS build
WORKDIR /src
COPY tools/install tools/packages tools/
RUN tools/install build
COPY . .
RUN cmake --preset release && cmake --build --preset release \
 && cmake --install build --prefix /usr/local --strip

FROM debian:12-slim
# What the program is linked with, and the certificates that it trusts.
RUN apt-get update && apt-get install -y --no-install-recommends \
    ca-certificates libcrypt1 libcurl4 libhiredis0.14 libluajit-5.1-2 libpq5 libseccomp2 libsqlite3-0 libssl3 libuv1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --create-home --home-dir /var/lib/parley --shell /usr/sbin/nologin parley
COPY --from=build /usr/local/bin/parley /usr/local/bin/
COPY --from=build /usr/local/share/parley /usr/local/share/parley
USER 10001:10001
# The home is .parley here, the default of every command.
WORKDIR /var/lib/parley
VOLUME /var/lib/parley
ENV PARLEY_PROFILE=prod PARLEY_HTTP_LISTEN=0.0.0.0:8080 PARLEY_OPS_LISTEN=0.0.0.0:8081
EXPOSE 8080 8081
# Ready as a load balancer means it: not while it drains, nor while the database is away.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8081 && printf 'GET /readyz HTTP/1.1\\r\\nHost: ops\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r _ code _ <&3 && [ \"$code\" = 200 ]"]
ENTRYPOINT ["parley"]
CMD ["serve"]

# Stowage itself, from its own bundle and without network:
#   npx stowage build --git . --hermetic
# BASE has Debian's nodejs and npm, or Node 20 and newer (docs/images.md makes one), and for workers what they call
# (docs/deploying.md). The Node that runs is in the bundle: what npm warns of Debian's is left out.
ARG BASE=library/images/debian-node:12
FROM ${BASE}
WORKDIR /opt/stowage
COPY package.json package-lock.json .npmrc* ./
RUN npm ci --omit=dev --no-fund --loglevel=error
COPY . .
# PostgreSQL, which `serve` starts when it is given none, wants to know the name of its user.
RUN echo 'stowage:x:10001:10001::/var/lib/stowage:/usr/sbin/nologin' >> /etc/passwd \
    && echo 'stowage:x:10001:' >> /etc/group \
    && mkdir -p /var/lib/stowage /srv/stowage-blobs && chown 10001:10001 /var/lib/stowage /srv/stowage-blobs \
    && ln -s /opt/stowage/bin/stowage /opt/stowage/deploy/is-ready /usr/local/bin/
ENV STOWAGE_HOST=0.0.0.0 STOWAGE_DATA_DIR=/var/lib/stowage HOME=/var/lib/stowage
USER 10001:10001
VOLUME /var/lib/stowage
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/stowage/bin/stowage"]
CMD ["serve"]

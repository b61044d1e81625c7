# Stowage itself, from its own bundle and without network:
#   npx stowage build --git . --hermetic
# BASE has Debian's nodejs and npm, or Node 20 and newer (docs/images.md makes one). The Node that runs is in the bundle:
# what npm warns of Debian's is left out.
ARG BASE=library/images/debian-node:12
FROM ${BASE}
WORKDIR /opt/stowage
COPY package.json package-lock.json .npmrc* ./
RUN npm ci --omit=dev --no-fund --loglevel=error
COPY . .
ENV STOWAGE_HOST=0.0.0.0 STOWAGE_DATA_DIR=/var/lib/stowage
VOLUME /var/lib/stowage
EXPOSE 8080
ENTRYPOINT ["bin/stowage"]
CMD ["serve"]

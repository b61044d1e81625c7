# Stowage itself, from its own bundle and without network:
#   npx stowage build --git . --hermetic --build-arg BASE=IMAGE -t stowage
# BASE has Node 20 or newer's npm, or Debian's nodejs and npm (docs/images.md makes one); the Node that runs is in the bundle.
ARG BASE
FROM ${BASE}
WORKDIR /opt/stowage
COPY package.json package-lock.json .npmrc* ./
RUN npm ci --omit=dev --no-fund
COPY . .
ENV STOWAGE_HOST=0.0.0.0 STOWAGE_DATA_DIR=/var/lib/stowage
VOLUME /var/lib/stowage
EXPOSE 8080
ENTRYPOINT ["bin/stowage"]
CMD ["serve"]

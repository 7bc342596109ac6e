# The gateway listens on all addresses here, so it wants credentials, or refuses to start and says so:
#   docker build -t sluice .                             (buildah and podman: --format docker, or HEALTHCHECK is lost)
#   docker run -p 8080:8080 -e SLUICE_API_KEYS="$(openssl rand -hex 24)" sluice
#   docker run -p 8080:8080 -v sluice:/data -e SLUICE_ENGINE=lmdb -e SLUICE_API_KEYS=... sluice
#   docker run --rm -e SLUICE_TOKEN_SECRET=... sluice token --sub alice --subscribe 'server:*'

# uWebSockets.js's binary for Node 24 needs glibc 2.38: Debian 13 has it, Debian 12 and Alpine don't.
FROM node:24-trixie-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY src/client/package.json src/client/
# Without scripts: `prepare` would build what isn't here yet, and the binaries come with their packages.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json LICENSE ./
COPY src src
# The workspace of the client is a link into src, which the image does not hold: dist has the built files.
# `react` is an optional peer of the client, for pages.
RUN npm run build && npm prune --omit=dev && rm -r node_modules/sluice-client node_modules/react \
 && find node_modules -type d -empty -delete
# uWebSockets.js brings a binary for every platform and version of Node, 250 MB in all. One is used.
RUN cd node_modules/uWebSockets.js \
 && find . -name '*.node' ! -name "uws_$(node -p 'process.platform + "_" + process.arch + "_" + process.versions.modules').node" -delete \
 && rm -rf docs examples misc mvp scripts src tests .github \
 && node -e 'require(".")'

FROM node:24-trixie-slim
LABEL org.opencontainers.image.title="Sluice" \
      org.opencontainers.image.description="Self-hosted real-time push gateway for dashboards" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
ENV SLUICE_HOST=0.0.0.0
ENV SLUICE_RUN_FILE=/tmp/sluice.json
# For the engine lmdb: a volume, or it goes with the container.
ENV SLUICE_DATA_DIR=/data
RUN mkdir /data && chown node:node /data
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
# `node`, as a number: with `runAsNonRoot` Kubernetes refuses a name.
USER 1000
EXPOSE 8080
# The run file says where the gateway listens, whatever its flags are. A large data folder takes its time to load.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["node", "dist/cli.js", "health"]
ENTRYPOINT ["node", "dist/cli.js"]
CMD ["serve"]

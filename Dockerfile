# The first stage has the compiler that better-sqlite3 needs where no ready-made binding can be had.
FROM node:22-bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 g++ make \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --include=dev --no-audit --no-fund
COPY . .
# What only measures is not needed to run.
RUN npm run build && rm -rf dist/bench && chmod 0755 dist/src/cli/index.js
WORKDIR /runtime
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:22-bookworm-slim
ENV NODE_ENV=production \
    SPENDGATE_DATA_DIR=/data \
    SPENDGATE_HOST=0.0.0.0
# The admin port stays on loopback inside the container: use `docker exec`, or give it TLS and SPENDGATE_ADMIN_HOST.
# `docker exec … spendgate doctor`: the command by its name.
RUN install -d -o node -g node -m 0700 /data && ln -s /app/dist/src/cli/index.js /usr/local/bin/spendgate
WORKDIR /app
COPY --from=build /runtime/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY --from=build /build/src/ledger/schema ./src/ledger/schema
COPY --from=build /build/src/dashboard/static ./src/dashboard/static
COPY --from=build /build/src/preload/python ./src/preload/python
COPY --from=build /build/policies/presets ./policies/presets
COPY --from=build /build/package.json /build/LICENSE /build/README.md ./
# Nothing outside /data is written, so the root file system may be read-only.
USER node
VOLUME /data
EXPOSE 4242
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "require('node:http').get({ host: '127.0.0.1', port: process.env.SPENDGATE_ADMIN_PORT || 4243, path: '/healthz' }, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["node", "--enable-source-maps", "/app/dist/src/cli/index.js"]
CMD ["serve"]

# Three images from one file: the API (target api), the worker for a host that has an engine (target worker), and a dock
# for the development cluster, which is an engine with a worker beside it (target dock).
#
# Written for the classic builder and BuildKit alike, so it uses nothing that only one of them has. The base images are
# arguments: any Debian (13 or later for a dock) with Node, npm and a user called node will do; test/compose makes one
# where no registry is.
ARG NODE_IMAGE
ARG DOCK_IMAGE

# An empty argument is as good as none: docker-compose 1.29 passes one that is not set as empty.
FROM ${NODE_IMAGE:-node:24-trixie-slim} AS base
WORKDIR /app

# --- manifests: what npm ci reads and nothing else, so that an edited source file leaves the installed packages cached,
#     and so that a new workspace needs no line here.
FROM base AS manifests
COPY . .
RUN ["find", ".", "-mindepth", "1", "(", "-type", "f", "!", "-name", "package.json", "!", "-name", "package-lock.json", \
     "-o", "-type", "d", "-empty", ")", "-delete"]

# --- build: everything, compiled. Afterwards only what runs is kept.
FROM base AS build
COPY --from=manifests /app .
RUN ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
COPY . .
RUN ["npm", "run", "build"]
RUN ["find", ".", "-type", "d", "-name", "node_modules", "-prune", "-exec", "rm", "-rf", "{}", "+"]
RUN ["find", "apps", "libs", "-type", "f", "!", "-name", "package.json", "(", "!", "-path", "*/dist/*", \
     "-o", "-name", "*.d.ts", "-o", "-name", "*.map", "-o", "-name", "*.tsbuildinfo", ")", "-delete"]

# --- the packages that each program needs at run time, for that program alone. The optional ones are native code that
#     quickens what neither does, and a compiler that one package can use.
FROM base AS api-packages
COPY --from=manifests /app .
RUN ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--omit=optional", "--workspace=apps/api"]

FROM base AS worker-packages
COPY --from=manifests /app .
RUN ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--omit=optional", "--workspace=apps/worker"]

# --- api. HOST stays 127.0.0.1 unless whoever runs the image says otherwise: opening the API is a decision. Mount a volume at
#     /var/lib/deblox: a replica without the fleet's keys does not start.
FROM base AS api
ENV NODE_ENV=production
COPY --from=api-packages /app .
COPY --from=build /app/libs libs
COPY --from=build /app/apps/api apps/api
COPY templates templates
COPY script/image/api-health.mjs script/image/
COPY script/api-keys script/redis-acl script/
# For the keys: a volume that is mounted here for the first time belongs to the same user.
RUN ["install", "--directory", "--owner=node", "--group=node", "--mode=700", "/var/lib/deblox"]
USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["node", "script/image/api-health.mjs"]
ENTRYPOINT ["node", "apps/api/dist/main.js"]

# --- worker, for a host that has an engine: mount /var/run/docker.sock and give the container the socket's group
#     (docker run --group-add, compose group_add), since it does not run as root. Mount a volume at /var/lib/deblox, and the
#     host's policy, if it has one, read-only at /etc/deblox/policy.json.
FROM base AS worker
ENV NODE_ENV=production
COPY --from=worker-packages /app .
COPY --from=build /app/libs libs
COPY --from=build /app/apps/worker apps/worker
RUN ["install", "--directory", "--owner=node", "--group=node", "--mode=700", "/var/lib/deblox"]
USER node
HEALTHCHECK --interval=10s --timeout=8s --start-period=30s --retries=3 CMD ["node", "apps/worker/dist/health.js"]
ENTRYPOINT ["node", "apps/worker/dist/main.js"]

# --- dock: an engine and its worker in one container. Root, because an engine is; tini reaps what containers leave.
#     procps is what `docker top` runs, iptables what the engine's bridge needs. Arguments of the container go to dockerd.
FROM ${DOCK_IMAGE:-node:24-trixie-slim} AS dock
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates docker.io docker-cli iptables procps tini \
 && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production
WORKDIR /app
COPY --from=worker /app .
COPY script/image/dock.mjs script/image/engine-answers.mjs script/image/nested-engine.mjs script/image/
VOLUME /var/lib/docker
HEALTHCHECK --interval=10s --timeout=8s --start-period=60s --retries=3 CMD ["node", "apps/worker/dist/health.js"]
ENTRYPOINT ["tini", "--", "node", "script/image/dock.mjs"]

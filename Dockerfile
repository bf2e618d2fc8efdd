# The HTTP server, and the pull and the check for a CronJob: docs/container.md. The image holds no secret and no
# certificate, and writes nothing to disk.
FROM node:24-slim AS build
WORKDIR /build
COPY . .
RUN npm run image -- /image

FROM node:24-slim
COPY --from=build /image/ /
# FunctionGraph calls custom images at port 8000, and runs them as user 1003.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8000
EXPOSE 8000
USER 1003:1003
WORKDIR /app
ENTRYPOINT ["node"]
CMD ["/app/index.js"]

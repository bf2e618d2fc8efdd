# The HTTP server, and the pull and the check for a CronJob: docs/container.md. The image holds no secret and no
# certificate, writes nothing, and is run by nobody in particular.
FROM node:24-slim AS build
WORKDIR /build
COPY . .
RUN npm run image -- /image

FROM node:24-slim
COPY --from=build /image/ /
# The custom images of FunctionGraph are called at port 8000, and run by 1003.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8000
EXPOSE 8000
USER 1003:1003
WORKDIR /app
ENTRYPOINT ["node"]
CMD ["/app/index.js"]
